"""Runs nginx and Caddy in front of several nodes, with the examples in `deploy/` and docs/deployment.md."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.message
import dns.rrset

from tests.deploy.examples import blocks_of_page
from tests.proxies.programs import (
    CADDY,
    DEPLOY,
    Front,
    caddy_environment,
    free_port,
    nginx_command,
    nginx_site,
    replaced,
    running,
    trusting_anybody,
)

NODES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
"""Addresses of the nodes, which have the same port, as containers do."""


class NameServer(asyncio.DatagramProtocol):
    """Answers every question for addresses with those of all nodes."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.answer.append(dns.rrset.from_text(question.question[0].name, 1, "IN", "A", *NODES))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server() -> AsyncIterator[str]:
    """Yields the address of a name server for the nodes."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        host, port = transport.get_extra_info("sockname")
        yield f"{host}:{port}"
    finally:
        transport.close()


@asynccontextmanager
async def behind_caddy(nodes_port: int, folder: Path, trusted_proxies: str = "") -> AsyncIterator[Front]:
    port = free_port()
    environment = caddy_environment(
        folder,
        FRONTROW_SITE=f"http://:{port}",
        FRONTROW_NODES="nodes.test.",
        FRONTROW_NODES_PORT=str(nodes_port),
        FRONTROW_TRUSTED_PROXIES=trusted_proxies,
    )
    async with name_server() as resolver:
        text = (DEPLOY / "Caddyfile.cluster").read_text()
        example = folder / "Caddyfile"
        example.write_text(replaced(text, {"refresh 1s": f"refresh 1s\n\t\t\tresolvers {resolver}"}))
        command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(example)]
        async with running(command, port, environment):
            yield Front(f"http://127.0.0.1:{port}", None)


@asynccontextmanager
async def behind_nginx(nodes_port: int, folder: Path) -> AsyncIterator[Front]:
    port = free_port()
    (block,) = [block for block in blocks_of_page() if block.startswith("upstream ")]
    upstream = block.removeprefix("upstream frontrow {\n").removesuffix("}\n")
    places = {f"10.0.0.{number}:8000": f"{node}:{nodes_port}" for number, node in enumerate(NODES, 1)}
    nginx_site(folder, port, 0, **{"server 127.0.0.1:0;\n    keepalive 64;": replaced(upstream, places)})
    async with running(nginx_command(folder), port):
        yield Front(f"https://127.0.0.1:{port}", trusting_anybody())
