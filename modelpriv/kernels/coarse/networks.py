"""IP addresses as the network that they lie in."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["networks"]


def networks(addresses: Iterable[str], ipv4: int, ipv6: int, *, prefix: bool) -> pa.Array[Any]:
    """Return the network of each address; null for what is not an address.

    Parameters
    ----------
    addresses : iterable of str
        Addresses of both versions, each of them once. One of version 4 that is written as version 6
        (``::ffff:192.0.2.1``) is taken for the one that it is.
    ipv4, ipv6 : int
        How many bits of an address stay.
    prefix : bool
        Whether to write how many, as in ``192.0.2.0/24``.
    """
    written = [_network(address, ipv4, ipv6, prefix=prefix) for address in addresses]
    return pa.array(written, pa.large_string())


def _network(text: str, ipv4: int, ipv6: int, *, prefix: bool) -> str | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    kept = ipv4 if address.version == 4 else ipv6  # noqa: PLR2004 - the version
    lost = address.max_prefixlen - kept
    network = type(address)(int(address) >> lost << lost)
    return f"{network}/{kept}" if prefix else str(network)
