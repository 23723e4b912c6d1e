"""AES-SIV, FF1 and the cell token over whole columns."""
