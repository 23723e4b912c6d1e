"""Column transformers: one file each, or a folder where one file would hold two things."""
