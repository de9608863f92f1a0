"""`frontrow serve --demo` as somebody meets it who has other servers on the machine."""

from pathlib import Path

import pytest
from tornado.testing import bind_unused_port

from tests.acceptance.server_process import ServerProcess

GUIDES_PORTS = "FRONTROW_EXTRA_PORTS=8001,3000"


@pytest.mark.gen_test(timeout=90)
async def test_a_demo_takes_the_ports_that_its_settings_name_and_no_other(data_directory: Path) -> None:
    unused, other_port = bind_unused_port()
    unused.close()
    for setting, extra in (
        ({}, set()),
        ({"extra_ports": ""}, set()),
        ({"extra_ports": other_port}, {other_port}),
    ):
        server = ServerProcess(data_directory, **setting)
        try:
            await server.start("--demo")
            own_port = int(server.url.rpartition(":")[2])
            assert server.listening_ports == {own_port} | extra
            if extra:
                assert f"also listening on http://127.0.0.1:{other_port}" in await server.said(
                    str(other_port)
                )
            else:
                assert "Guides " in await server.said(GUIDES_PORTS)
        finally:
            await server.remove()
