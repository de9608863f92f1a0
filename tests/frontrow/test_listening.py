"""Extra ports beside the server's own."""

from pathlib import Path

import pytest
from tornado.testing import bind_unused_port

from frontrow.listening import AddressUnusable, authority
from frontrow.settings import SettingsError, load_settings
from tests.house import House


def test_extra_ports_must_be_port_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, ports in (("", ()), ("8001", (8001,)), ("8001, 3000", (8001, 3000))):
        monkeypatch.setenv("FRONTROW_EXTRA_PORTS", text)
        assert load_settings().extra_ports == ports
    for text in ("x", "0", "65536", "8001;3000"):
        monkeypatch.setenv("FRONTROW_EXTRA_PORTS", text)
        with pytest.raises(SettingsError, match="FRONTROW_EXTRA_PORTS must be whole numbers"):
            load_settings()


@pytest.mark.gen_test
async def test_a_port_in_use_stops_the_server_and_is_named(database_url: str, tmp_path: Path) -> None:
    taken, port = bind_unused_port()
    house = House(database_url, tmp_path, extra_ports=(port,))
    said = rf"Cannot listen on 127\.0\.0\.1:{port}: Address already in use; choose another host or port$"
    with taken, pytest.raises(AddressUnusable, match=said):
        await house.open()


def test_a_port_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for extra in ("8000", "8001,8001"):
        monkeypatch.setenv("FRONTROW_EXTRA_PORTS", extra)
        with pytest.raises(SettingsError, match="EXTRA_PORTS must not contain FRONTROW_PORT"):
            load_settings()


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1:8000"), ("localhost", "localhost:8000"), ("::", "[::]:8000")],
)
def test_ipv6_addresses_get_brackets(host: str, shown: str) -> None:
    assert authority(host, 8000) == shown
