"""Runs nginx and Caddy with the examples in `deploy/`."""

import asyncio
import os
import random
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.debian import program
from tests.processes import end

DEPLOY = Path(__file__).parents[2] / "deploy"
ACCESS_LOG = "access.log"
CADDY = Path(sys.prefix) / "bin" / "caddy"
START_SECONDS = 60.0
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02

# The configuration around a site in an nginx installation, without what needs root.
_AROUND_THE_SITE = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {site};
}}
"""


class Front(NamedTuple):
    """A proxy as clients see it.

    Attributes:
        url: of the proxy.
        tls: TLS context that accepts its certificate; None without TLS.
    """

    url: str
    tls: ssl.SSLContext | None


def _ports() -> Iterator[int]:
    """Ports above those of outgoing connections, if possible, so that none of these takes them meanwhile.

    Each process of a parallel test run has its own, in an order of its own, and none twice in a row.
    """
    highest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[1])
    lowest = highest_outgoing + 1 if highest_outgoing < 65_000 else 61_000
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _PROCESSES
    ports = list(range(lowest + process, 65_536, _PROCESSES))
    random.shuffle(ports)
    return cycle(ports)


_PROCESSES = 8
_next_ports = _ports()


def free_port() -> int:
    """Return a free port, since nginx and Caddy cannot choose one themselves."""
    for port in _next_ports:
        with suppress(OSError), socket.socket() as taken:
            taken.bind(("", port))
            return port
    raise AssertionError("no port is free")


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Replace strings in an example, each of which must occur in it."""
    for old, new in changes.items():
        assert old in text, f"the example has no {old!r}"
        text = text.replace(old, new)
    return text


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Create a self-signed certificate and its key as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain_path, key_path = folder / "fullchain.pem", folder / "privkey.pem"
    chain_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain_path, key_path


def trusting_anybody() -> ssl.SSLContext:
    """Return a TLS context that accepts the certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def nginx_site(folder: Path, port: int, upstream_port: int, **more: str) -> Path:
    """Write a configuration with nginx's example as its only site.

    Args:
        folder: for nginx's files.
        port: the TLS port.
        upstream_port: of the server.
        more: further replacements.

    Returns:
        The path of the configuration.
    """
    chain, key = certificate(folder, "tickets.example.com")
    changes = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/letsencrypt/live/tickets.example.com/fullchain.pem": str(chain),
        "/etc/letsencrypt/live/tickets.example.com/privkey.pem": str(key),
        "/var/log/nginx/frontrow.log": str(folder / ACCESS_LOG),
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream_port};",
        **more,
    }
    site, whole = folder / "site.conf", folder / "nginx.conf"
    site.write_text(replaced((DEPLOY / "nginx.conf").read_text(), changes))
    whole.write_text(_AROUND_THE_SITE.format(site=site))
    return whole


def nginx_command(folder: Path, *arguments: str) -> list[str]:
    """Return the nginx command for the configuration in a folder."""
    return [
        str(program("nginx")),
        *("-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr", *arguments),
    ]


def caddy_environment(folder: Path, **variables: str) -> dict[str, str]:
    """Return an environment in which Caddy only uses files in a folder."""
    kept = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return {**os.environ, **kept, "CADDY_ADMIN": f"unix/{folder}/admin.sock", **variables}


@asynccontextmanager
async def running(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> AsyncIterator[None]:
    """Run a proxy for the duration of the block.

    Args:
        command: runs in the foreground.
        port: open once the proxy is ready.
        environment: of the process.
    """
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said = asyncio.create_task(process.stderr.read())
    try:
        await _listening(process, port, said)
        yield
    finally:
        await end(process, STOP_SECONDS)
        await said


async def _listening(process: asyncio.subprocess.Process, port: int, said: "asyncio.Task[bytes]") -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise AssertionError((await said).decode(errors="replace"))
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            writer.close()
            await writer.wait_closed()
            return
