"""Figures of all nodes, for operators: each node is asked for its figures when an operator wants them.

A node that does not answer within `WAIT_SECONDS`, or whose release has no figures yet, is shown without.
Requests that come together share an answer.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cluster.beats import NodeState
from cluster.everybody import Everybody
from cluster.links import Links
from cluster.membership import Membership
from cluster.rounds import Rounds
from engine.errors import NotFound
from engine.figures import Server, ServerFigures

FIGURES, LOG_LEVEL = "figures", "log_level"
"""Kinds of calls: for the figures of a node; to change what it logs."""

WAIT_SECONDS = 0.3
CHANGE_SECONDS = 2.0
"""Time limit for a node to change its log level."""


class ClusterServers:
    """The nodes of the cluster; see `api.services.Servers`.

    Args:
        own: returns the figures of this node.
        set_log_level: changes what this node logs: takes the level, and who wants it.
        links: to the other nodes.
        everybody: asks them.
        membership: knows them.
    """

    def __init__(
        self,
        own: Callable[[], ServerFigures],
        set_log_level: Callable[[str, str], None],
        links: Links,
        everybody: Everybody,
        membership: Membership,
    ) -> None:
        self._own = own
        self._set_log_level = set_log_level
        self._links = links
        self._everybody = everybody
        self._membership = membership
        self._rounds = Rounds(self._ask)
        links.on(FIGURES, lambda *_: own().plain())
        links.on(LOG_LEVEL, lambda _, value: set_log_level(*value))

    async def all(self) -> list[Server]:
        return await self._rounds.next()

    async def set_log_level(self, mark: str, level: str, by: str) -> None:
        if mark == self._links.node:
            self._set_log_level(level, by)
            return
        if self._membership.view.states.get(mark, NodeState.GONE) is NodeState.GONE:
            raise NotFound("server", mark)
        await self._links.call(mark, LOG_LEVEL, (level, by), CHANGE_SECONDS)

    async def _ask(self) -> list[Server]:
        rows: dict[str, Any] = await self._everybody.ask(FIGURES, None, WAIT_SECONDS)
        figures = {self._links.node: self._own()}
        for mark, row in rows.items():
            with suppress(TypeError, ValueError):
                figures[mark] = ServerFigures.parsed(row)
        return [
            Server(
                beat.facts.mark,
                beat.facts.name,
                beat.facts.address,
                beat.facts.version,
                str(beat.state),
                beat.facts.started_at,
                figures.get(beat.facts.mark),
            )
            for beat in self._membership.table()
        ]
