"""AES-SIV (RFC 5297) over whole columns: the public functions of `modelpriv.kernels.aes.siv`."""

from modelpriv.kernels.aes.siv import open_, prf, seal, try_open

__all__ = ["open_", "prf", "seal", "try_open"]
