"""FF1 (NIST SP 800-38G) over whole columns: the public functions of `modelpriv.kernels.aes.ff1`."""

from modelpriv.kernels.aes.ff1 import decrypt, encrypt

__all__ = ["decrypt", "encrypt"]
