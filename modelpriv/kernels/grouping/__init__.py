"""Kernels over groups of rows: codes of cells, classes of equal rows, and what a class shows of a sensitive column."""
