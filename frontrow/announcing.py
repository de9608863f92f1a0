"""The lines that `frontrow serve` prints once it serves: its addresses, and how to use the demo."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from api.identity.channels import code_hash
from api.identity.origins import OPAQUE_ORIGIN
from frontrow.demo import demo_passwords, describe, guide_ports_hint, prepare_demo
from frontrow.listening import authority
from frontrow.mail import MAIL_FOLDER
from frontrow.settings import Settings
from frontrow.signing import access_code_key_of, tokens_of
from persistence.connector import Connector


def base_url_of(settings: Settings, port: int) -> str:
    """Return the URL of the API.

    Args:
        settings: the host and the path prefix.
        port: the port that the server listens on, which the settings may leave open.
    """
    return f"http://{authority(settings.host, port)}{settings.path_prefix}"


def addresses(settings: Settings, port: int, proxied_ports: Sequence[int]) -> Iterator[str]:
    """Yield a line for each address that the server listens on; the first one is that of the API.

    Args:
        settings: hosts and further ports.
        port: of the API.
        proxied_ports: for the PROXY protocol.
    """
    yield f"listening on {base_url_of(settings, port)}"
    for extra in settings.extra_ports:
        yield f"also listening on {base_url_of(settings, extra)}"
    if settings.metrics_port:
        yield f"metrics are on http://{authority(settings.metrics_host, settings.metrics_port)}/metrics"
    for proxied in proxied_ports:
        place = authority(settings.host, proxied)
        yield f"listening for the PROXY protocol of trusted proxies on {place}"


def with_demo(settings: Settings) -> Settings:
    """Return the settings of the demo.

    The rooms guide's test page, which is opened from a file, may call the API; guests can buy; and payments
    are tests.
    """
    origins = (*settings.allowed_origins, OPAQUE_ORIGIN)
    return replace(settings, allowed_origins=origins, guest_purchase=True, test_payment=True)


async def prepared_demo(settings: Settings, database_url: str, port: int) -> list[str]:
    """Create the demo cinema if there is none, and return lines that describe how to use it."""
    connector = Connector(database_url, pool_size=1)
    passwords = await asyncio.to_thread(demo_passwords, settings.data_dir)
    try:
        hashed = partial(code_hash, access_code_key_of(settings))
        demo = await prepare_demo(connector, passwords, hashed)
    finally:
        connector.close()
    base_url = base_url_of(settings, port)
    lines = describe(demo, base_url, tokens_of(settings), settings.token_ttl_seconds)
    if not settings.smtp_url:
        lines = [*lines, "", f"Mails         are not sent, but written to {settings.data_dir / MAIL_FOLDER}"]
    if settings.metrics_open:
        lines = [*lines, "", f"Metrics       {base_url}/metrics"]
    return lines if settings.extra_ports else [*lines, "", *guide_ports_hint()]
