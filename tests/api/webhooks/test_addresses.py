"""Addresses and URLs that webhooks may have."""

from ipaddress import ip_address

import pytest

from api.webhooks.addresses import UnusableUrl, checked_url, is_allowed

PUBLIC = (
    "93.184.216.34",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2002:101:101::1",
)
PRIVATE = (
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::192.168.0.1",
    "2002:a00:1::1",
    "2002:7f00:1::1",
)
NEVER = (
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "169.254.169.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "4000::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), private=False)
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_allowed_by_a_setting(address: str) -> None:
    assert not is_allowed(ip_address(address), private=False)
    assert is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize("address", NEVER)
def test_local_and_reserved_addresses_are_never_allowed(address: str) -> None:
    assert not is_allowed(ip_address(address), private=False)
    assert not is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hooks",
        "http://shop.example",
        "https://shop.example:8443/hooks?key=1",
        "https://[2606:4700:4700::1111]/hooks",
        "http://1.1.1.1:80/",
    ],
)
def test_urls_that_webhooks_may_have(url: str) -> None:
    checked_url(url, private=False)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "//shop.example/hooks",
        "/hooks",
        "shop.example",
        "https://",
        "https:///hooks",
        "https://ada:secret@shop.example/",
        "https://ada@shop.example/",
        "https://@shop.example/",
        "https://shop.example/#part",
        "https://shop.example:25/",
        "https://shop.example:0/",
        "https://shop.example:70000/",
        "https://shop.example:port/",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://shop.example/" + "x" * 2000,
        "https://shop.example\\@127.0.0.1/",
        "https://shop .example/",
        "https://shop.example/\r\nHost: other",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(UnusableUrl):
        checked_url(url, private=False)
