"""The client's address in the header fields of trusted proxies."""

from ipaddress import ip_network

import pytest

from api.http1.headers import RequestHeaders
from api.http1.trusted_proxies import FORWARDED, X_FORWARDED_FOR, TrustedProxies

NETWORKS = [ip_network(text) for text in ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:ff::/48")]
PROXY = "127.0.0.1"
CLIENT = "203.0.113.7"

X_FORWARDED = {
    "203.0.113.7": CLIENT,
    "  203.0.113.7\t": CLIENT,
    "6.6.6.6, 203.0.113.7": CLIENT,
    "6.6.6.6,203.0.113.7,10.1.2.3": CLIENT,
    "6.6.6.6, 203.0.113.7, 2001:db8:ff::1, 10.9.9.9": CLIENT,
    "garbage, 203.0.113.7": CLIENT,
    "10.1.2.3, 203.0.113.7": CLIENT,
    "203.0.113.7:4711": CLIENT,
    "::ffff:203.0.113.7": CLIENT,
    "2001:DB8::0:7": "2001:db8::7",
    "[2001:db8::7]": "2001:db8::7",
    "[2001:db8::7]:4711": "2001:db8::7",
    # All are trusted proxies: the first one is the client.
    "10.1.1.1, 10.2.2.2": "10.1.1.1",
    # Without a valid address the last proxy stands for the client.
    "": PROXY,
    ",": PROXY,
    "203.0.113.7,": PROXY,
    "unknown": PROXY,
    "6.6.6.6, unknown": PROXY,
    "6.6.6.6, unknown, 10.1.2.3": "10.1.2.3",
    "6.6.6.6, _hidden, 10.1.2.3": "10.1.2.3",
    "203.0.113.777": PROXY,
    "203.0.113": PROXY,
    "0203.0.113.7": PROXY,
    "203.0.113.7:port": PROXY,
    "2001:db8::7]": PROXY,
    "[203.0.113.7": PROXY,
    "fe80::1%eth0": PROXY,
    "203.0.113.7 6.6.6.6": PROXY,
    "\xff\xfe": PROXY,
    "1" * 8000: PROXY,
    f"6.6.6.6{', 10.1.2.3' * 500}": "10.1.2.3",
}

FORWARDED_FIELD = {
    "for=203.0.113.7": CLIENT,
    "For=203.0.113.7;Proto=https;by=10.0.0.1": CLIENT,
    'for="203.0.113.7:4711"': CLIENT,
    'for="203.0.113.7:_port"': CLIENT,
    'for="[2001:db8::7]"': "2001:db8::7",
    'for="[2001:db8::7]:4711";proto=http': "2001:db8::7",
    "for=[2001:db8::7]:4711": "2001:db8::7",
    "for=203.0.113.7:4711": CLIENT,
    'for="20\\3.0.113.7"': CLIENT,
    "proto=https ; for=203.0.113.7": CLIENT,
    "for=6.6.6.6, for=203.0.113.7": CLIENT,
    "for=6.6.6.6, for=203.0.113.7, for=10.1.2.3": CLIENT,
    "for=6.6.6.6, , for=203.0.113.7,": CLIENT,
    'for=203.0.113.7;host="a,b;for=6.6.6.6"': CLIENT,
    'for=203.0.113.7;host="a, for=6.6.6.6"': CLIENT,
    # An unterminated quoted string of a client does not swallow what a proxy appends.
    'for="6.6.6.6, for=203.0.113.7': CLIENT,
    'for=6.6.6.6;x=", for=203.0.113.7;by="_a"': CLIENT,
    'x="\\, for="[2001:db8::7]"': "2001:db8::7",
    "garbage;;;=, for=203.0.113.7": CLIENT,
    # Without a valid address, the same.
    "": PROXY,
    "for=unknown": PROXY,
    "for=_hidden": PROXY,
    'for=6.6.6.6, for="_SEVKISEK"': PROXY,
    "for=6.6.6.6, for=unknown, for=10.1.2.3": "10.1.2.3",
    "proto=https": PROXY,
    "for=6.6.6.6;for=203.0.113.7": PROXY,
    "for=203.0.113.7 for=6.6.6.6": PROXY,
    'for="203.0.113.7': PROXY,
    "for=": PROXY,
    "203.0.113.7": PROXY,
    "," * 8000: PROXY,
    '"' * 8000: PROXY,
    f"for=6.6.6.6{', for=10.1.2.3' * 500}": "10.1.2.3",
}


def client_of(header: str, fields: list[tuple[str, str]], peer: str = PROXY) -> tuple[str, str | None]:
    """Return address and scheme of a request with these fields."""
    proxies = TrustedProxies(NETWORKS, header)
    headers = RequestHeaders()
    for name, value in fields:
        headers.on_header(name.encode(), value.encode("latin-1"))
    proxy = proxies.peer((peer, 4711))
    assert proxy.relays
    client = proxies.client(proxy, headers)
    assert not client.relays
    return client.remote_ip, client.scheme


@pytest.mark.parametrize("value", X_FORWARDED)
def test_x_forwarded_for(value: str) -> None:
    fields = [("X-Forwarded-For", value), ("Forwarded", "for=6.6.6.6;proto=https")]
    assert client_of(X_FORWARDED_FOR, fields) == (X_FORWARDED[value], None)


@pytest.mark.parametrize("value", FORWARDED_FIELD)
def test_forwarded(value: str) -> None:
    fields = [("Forwarded", value), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https")]
    assert client_of(FORWARDED, fields)[0] == FORWARDED_FIELD[value]


def test_a_field_may_have_several_lines() -> None:
    lines = ["6.6.6.6", "203.0.113.7, 10.1.2.3", "10.9.9.9"]
    assert client_of(X_FORWARDED_FOR, [("X-Forwarded-For", line) for line in lines])[0] == CLIENT
    lines = ['for="6.6.6.6', "for=203.0.113.7", "for=10.9.9.9"]
    assert client_of(FORWARDED, [("Forwarded", line) for line in lines])[0] == CLIENT


@pytest.mark.parametrize(
    ("addresses", "schemes", "scheme"),
    [
        ("203.0.113.7", "https", "https"),
        ("203.0.113.7", "HTTP", "http"),
        ("203.0.113.7", "wss", "https"),
        ("203.0.113.7", "http, https", "https"),
        ("203.0.113.7, 10.1.2.3", "http, https, http", "https"),
        ("203.0.113.7, 10.1.2.3", "https", "https"),
        ("203.0.113.7", "https, gopher", None),
        ("203.0.113.7", "", None),
        ("", "https", "https"),
    ],
)
def test_x_forwarded_proto(addresses: str, schemes: str, scheme: str | None) -> None:
    fields = [("X-Forwarded-For", addresses), ("X-Forwarded-Proto", schemes)]
    assert client_of(X_FORWARDED_FOR, fields)[1] == scheme


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("for=203.0.113.7;proto=https", "https"),
        ('for=203.0.113.7;proto="HTTP"', "http"),
        ("for=6.6.6.6;proto=http, for=203.0.113.7;proto=https, for=10.1.2.3;proto=http", "https"),
        ("for=6.6.6.6;proto=https, for=203.0.113.7", None),
        ("for=203.0.113.7;proto=gopher", None),
    ],
)
def test_proto_of_forwarded(value: str, scheme: str | None) -> None:
    assert client_of(FORWARDED, [("Forwarded", value)])[1] == scheme


def test_trusted_networks() -> None:
    proxies = TrustedProxies(NETWORKS)
    trusted = ("127.0.0.1", "::ffff:10.1.2.3", "2001:db8:ff::9", "2001:DB8:FF::9%eth0")
    assert all(proxies.peer((address, 1)).relays for address in trusted)
    others = ("127.0.0.2", "11.0.0.1", "::1", "2001:db8:fe::9")
    assert not any(proxies.peer((address, 1)).relays for address in others)
    assert not TrustedProxies().peer(("127.0.0.1", 1)).relays


def test_a_peer_has_one_spelling() -> None:
    proxies = TrustedProxies()
    assert proxies.peer(("::ffff:203.0.113.7", 1, 0, 0)).remote_ip == CLIENT
    assert proxies.peer(("2001:DB8::0:7", 1, 0, 0)).remote_ip == "2001:db8::7"
    assert proxies.peer(None).remote_ip == proxies.peer("/run/socket").remote_ip == "0.0.0.0"  # noqa: S104
