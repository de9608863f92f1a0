"""The text of `/metrics`, in the format that the scraper asks for."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

OPENMETRICS = "application/openmetrics-text"


def render(registry: CollectorRegistry, accept_header: str) -> tuple[str, bytes]:
    """Write all metrics down.

    The format is chosen here because the library's own choice raises on a version that is no number, and
    repeats whatever a client calls the version in the answer's headers.

    Args:
        registry: what is registered.
        accept_header: the request's `Accept`; OpenMetrics is written for whoever takes it, and the text
            format 0.0.4, which everybody reads, for all others.

    Returns:
        Media type and body.
    """
    accepted = {media_range.partition(";")[0].strip().lower() for media_range in accept_header.split(",")}
    if OPENMETRICS in accepted:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return openmetrics.CONTENT_TYPE_LATEST, body
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)
