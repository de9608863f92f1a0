"""Ports beside the server's own."""

import socket
from pathlib import Path

import pytest
from tornado.testing import bind_unused_port

from frontrow.listening import AddressUnusable, listen_where_free
from frontrow.settings import SettingsError, load_settings
from tests.api.caller import Caller
from tests.house import House


def test_extra_ports_are_numbers_of_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, ports in (("", ()), ("8001", (8001,)), ("8001, 3000", (8001, 3000))):
        monkeypatch.setenv("FRONTROW_EXTRA_PORTS", text)
        assert load_settings().extra_ports == ports
    for text in ("x", "0", "65536", "8001;3000"):
        monkeypatch.setenv("FRONTROW_EXTRA_PORTS", text)
        with pytest.raises(SettingsError, match="FRONTROW_EXTRA_PORTS must be whole numbers"):
            load_settings()


@pytest.mark.gen_test
async def test_a_port_that_is_taken_stops_the_server_with_its_number(
    database_url: str, tmp_path: Path
) -> None:
    taken, port = bind_unused_port()
    house = House(database_url, tmp_path, extra_ports=(port,))
    with taken, pytest.raises(AddressUnusable, match=str(port)):
        await house.open()


@pytest.mark.gen_test
async def test_a_demo_listens_at_more_ports_only_where_they_are_free(
    database_url: str, tmp_path: Path
) -> None:
    taken, taken_port = bind_unused_port()
    free, free_port = bind_unused_port()
    free.close()
    house = House(database_url, tmp_path)
    await house.open()
    with taken:
        lines = list(listen_where_free(house.server.listen_also, (taken_port, free_port)))
    assert f"port {taken_port} is taken" in lines[0]
    assert f"also listening on port {free_port}" in lines[1]
    assert (await Caller(f"http://127.0.0.1:{free_port}").send("GET", "/health")).status == 200
    await house.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", free_port)) != 0, "all ports are closed with the server"
