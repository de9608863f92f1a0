"""`frontrow nodes` and `frontrow drain`: talk with the nodes of a cluster over NATS, without the database.

Imports the NATS client, so the command line imports it only for these commands.
"""

from collections.abc import Callable
from typing import Any

from cluster.beats import Beat, Timing
from cluster.roster import Roster
from frontrow.lines import aligned
from frontrow.nats import nats_connection
from frontrow.settings import Settings

_HEADINGS = ("NAME", "MARK", "ADDRESS", "VERSION", "STATE", "SCREENINGS", "SOCKETS", "LAG")


async def list_nodes(settings: Settings) -> list[Beat]:
    """Return the nodes of the cluster.

    Raises:
        NatsUnavailable: NATS cannot be reached, or there is none.
        NodesNotFound: no node answers.
    """
    connection = nats_connection(settings, "frontrow nodes")
    roster = Roster(connection, settings.group(Timing))
    await connection.start()
    try:
        return await roster.nodes()
    finally:
        roster.stop()
        await connection.stop()


async def drain_node(settings: Settings, name: str, progress: Callable[[str], None]) -> None:
    """Drain a node and wait until it owns nothing.

    Raises:
        NatsUnavailable: NATS cannot be reached, or there is none.
        NodesNotFound: there is no such node, or no other one.
        NodeNotDrained: it still owns screenings after a long time.
    """
    connection = nats_connection(settings, "frontrow drain")
    roster = Roster(connection, settings.group(Timing))
    await connection.start()
    try:

        def tell(beat: Beat) -> None:
            if beat.load.screenings:  # the caller says when it is over
                progress(f"{name} owns {beat.load.screenings} screenings")

        await roster.drain(name, tell)
    finally:
        roster.stop()
        await connection.stop()


def as_json(beat: Beat) -> dict[str, Any]:
    """Return a node as `frontrow nodes --json` prints it."""
    return {**beat.facts._asdict(), "state": str(beat.state), **beat.load._asdict()}


def as_lines(beats: list[Beat]) -> list[str]:
    """Return a table with one line per node, and a heading."""
    return aligned([_HEADINGS, *map(_cells, beats)])


def _cells(beat: Beat) -> tuple[str, ...]:
    facts, load = beat.facts, beat.load
    counts = (str(load.screenings), str(load.sockets), f"{load.lag_seconds:.3f} s")
    return (facts.name, facts.mark, facts.address, facts.version, str(beat.state), *counts)
