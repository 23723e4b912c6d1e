"""IP addresses by network, as Python's own ipaddress cuts them."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.coarse.networks import networks


@given(st.lists(st.ip_addresses(), min_size=1), st.integers(0, 31), st.integers(0, 127))
def test_an_address_lies_in_its_network(addresses, ipv4, ipv6):
    """The network is the one that ipaddress gives for so many bits."""
    found = networks(map(str, addresses), ipv4, ipv6, prefix=True).to_pylist()
    for address, network in zip(addresses, found, strict=True):
        mapped = getattr(address, "ipv4_mapped", None) or address
        bits = ipv4 if mapped.version == 4 else ipv6
        assert network == str(ipaddress.ip_network((mapped, bits), strict=False))


def test_forms_of_an_address():
    """An address with a zone, or of version 4 written as version 6, is read; anything else has no network."""
    cells = ["fe80::1%eth0", "::ffff:192.0.2.77", "192.0.2.256", "192.0.2", "010.0.0.1", "", "host"]
    assert networks(cells, 24, 48, prefix=False).to_pylist() == ["fe80::", "192.0.2.0", *[None] * 5]
