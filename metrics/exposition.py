"""Renders `/metrics` in the format that the scraper accepts.

With many routes the page takes tens of milliseconds, in which the event loop would answer nobody. So the
server renders a part of a family at a time, and answers requests in between.
"""

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

OPENMETRICS = "application/openmetrics-text"
_END = b"# EOF\n"


class _One(Collector):
    """A collector of one part of a family, which prometheus_client renders by itself."""

    def __init__(self, part: Metric) -> None:
        self._part = part

    def collect(self) -> Iterator[Metric]:
        yield self._part


class Page:
    """The metrics of a registry in one of the two formats.

    The format is chosen here because prometheus_client's own choice raises on a malformed version and repeats
    the client's version in the response headers.

    Args:
        registry: the registry to render.
        accept_header: the request's `Accept`; OpenMetrics if it lists that, otherwise the text format 0.0.4.

    Attributes:
        media_type: of the page.
    """

    def __init__(self, registry: CollectorRegistry, accept_header: str) -> None:
        accepted = {media_range.partition(";")[0].strip().lower() for media_range in accept_header.split(",")}
        self._registry = registry
        self._generate: Callable[[Collector], bytes] = generate_latest
        self._end, self.media_type = b"", CONTENT_TYPE_PLAIN_0_0_4
        if OPENMETRICS in accepted:
            self._generate, self._end = openmetrics.generate_latest, _END
            self.media_type = openmetrics.CONTENT_TYPE_LATEST

    def parts(self) -> Iterator[bytes]:
        """Yield the page in parts of at most `PART_SAMPLES` samples, or one sample's buckets."""
        name = ""
        for family in self._registry.collect():
            part = self._generate(_One(family)).removesuffix(self._end)
            if family.name == name:
                # The name and meaning of the family are in its first part.
                while part.startswith(b"# "):
                    part = part.partition(b"\n")[2]
            name = family.name
            yield part
        yield self._end


def render(registry: CollectorRegistry, accept_header: str) -> tuple[str, bytes]:
    """Render all metrics at once; for arguments see `Page`.

    Returns:
        Media type and body.
    """
    page = Page(registry, accept_header)
    return page.media_type, b"".join(page.parts())


async def render_in_turns(registry: CollectorRegistry, accept_header: str) -> tuple[str, bytes]:
    """Render all metrics, a part in each turn of the event loop; otherwise like `render`."""
    page = Page(registry, accept_header)
    parts = []
    for part in page.parts():
        parts.append(part)
        await asyncio.sleep(0)
    return page.media_type, b"".join(parts)
