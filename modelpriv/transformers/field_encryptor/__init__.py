"""FieldEncryptor, its tokens and its formats."""
