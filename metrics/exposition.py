"""Renders `/metrics` in the format that the scraper accepts."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

OPENMETRICS = "application/openmetrics-text"


def render(registry: CollectorRegistry, accept_header: str) -> tuple[str, bytes]:
    """Render all metrics.

    The format is chosen here because prometheus_client's own choice raises on a malformed version and repeats
    the client's version in the response headers.

    Args:
        registry: the registry to render.
        accept_header: the request's `Accept`; OpenMetrics if it lists that, otherwise the text format 0.0.4.

    Returns:
        Media type and body.
    """
    accepted = {media_range.partition(";")[0].strip().lower() for media_range in accept_header.split(",")}
    if OPENMETRICS in accepted:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return openmetrics.CONTENT_TYPE_LATEST, body
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)
