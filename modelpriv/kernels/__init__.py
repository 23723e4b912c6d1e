"""Pure functions over columns; they know neither scikit-learn nor keyrings."""
