"""`frontrow serve --demo` on a machine with other servers."""

from pathlib import Path

import aiohttp
import pytest
from tornado.testing import bind_unused_port

from tests.acceptance.server_process import ServerProcess

GUIDES_PORTS = "FRONTROW_EXTRA_PORTS=8001,3000"


@pytest.mark.gen_test(timeout=510)
async def test_a_demo_only_uses_the_configured_ports(data_directory: Path) -> None:
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


@pytest.mark.gen_test(timeout=510)
async def test_pages_opened_from_a_file_can_only_use_a_demo(
    data_directory: Path,
) -> None:
    server = ServerProcess(data_directory)
    try:
        for options, status in ((["--demo"], 200), ([], 403)):
            await server.start(*options)
            async with aiohttp.ClientSession(server.url, headers={"Origin": "null"}) as session:
                async with session.get("/health") as answer:
                    assert answer.status == status
                    allowed = answer.headers.get("Access-Control-Allow-Origin")
                    assert allowed == ("null" if status == 200 else None)
                if status == 200:
                    await (await session.ws_connect("/ws/ana")).close()
                else:
                    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                        await session.ws_connect("/ws/ana")
            await server.terminate()
    finally:
        await server.remove()
