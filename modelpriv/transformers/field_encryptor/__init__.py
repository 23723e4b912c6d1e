"""FieldEncryptor: its ciphers, its parameters and what it keeps of columns."""

from modelpriv.transformers.field_encryptor.encryptor import FieldEncryptor

__all__ = ["FieldEncryptor"]
