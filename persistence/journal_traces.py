"""Records what the journal has done for traced requests."""

from collections.abc import Sequence

from engine.tracing import Tracer
from persistence.journal_connection import Queued

LINKS_LIMIT = 128
"""Traced decisions to which a batch is linked, at most."""


def record_batch(tracer: Tracer, batch: Sequence[Queued], began: float, ended: float) -> None:
    """Record the spans of a batch that has committed, if it has decisions of traced requests.

    The batch is a trace of its own, since it serves many requests: from the time when its oldest traced entry
    was queued. It is linked to them, and each of their traces has a span `journal` that is linked to it.

    Args:
        tracer: makes spans.
        batch: the entries.
        began: when the transaction was sent, in seconds of `time.monotonic`.
        ended: when it had committed.
    """
    traced = [
        (queued.appended_at, queued.entry.cause.trace)
        for queued in batch
        if queued.entry.cause is not None and queued.entry.cause.trace is not None
    ]
    if not traced:
        return
    oldest = min(appended_at for appended_at, _ in traced)
    links = [trace for _, trace in traced[:LINKS_LIMIT]]
    written = tracer.record(
        "journal batch", oldest, ended, links=links, attributes={"frontrow.entries": len(batch)}
    )
    tracer.record(
        "commit", began, ended, kind="client", parent=written, attributes={"db.system.name": "postgresql"}
    )
    for appended_at, trace in traced:
        tracer.record("journal", appended_at, ended, parent=trace, links=[written])
