"""Faults: what breaks, and how it is mended after some time or at the end."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World


_RESET_SECONDS = (0.02, 0.1)

CALM_SECONDS = 5.0
"""After the end of a fault everything has recovered from it."""


class Faults:
    """The faults of a history; each method begins one."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self._mending: list[Callable[[], None]] = []
        self._ended_at = 0.0

    @property
    def is_calm(self) -> bool:
        """True if nothing is broken, and nothing was in the last `CALM_SECONDS`."""
        return not self._mending and self.world.loop.time() - self._ended_at > CALM_SECONDS

    def mend(self) -> None:
        """End all faults now."""
        while self._mending:
            self._mending[0]()

    def _for(self, seconds: float, mend: Callable[..., object], *arguments: Any) -> None:
        """Do something after some time, or at the end if that comes earlier."""

        def once() -> None:
            if once in self._mending:
                self._mending.remove(once)
                self._ended_at = self.world.loop.time()
                self.world.trace("mends", mend.__name__)
                mend(*arguments)

        self._mending.append(once)
        self.world.later(seconds, once)

    # Nodes

    def crash(self, where: str, seconds: float) -> None:
        """kill -9 of a node, and a new start."""
        if self.world.kill(where):
            self._for(seconds, self.world.start, where)

    def restart(self, where: str) -> None:
        """SIGTERM, and a new start afterwards."""
        self.world.restart(where)

    def leave(self, where: str, seconds: float) -> None:
        """SIGTERM; the node joins the others again later."""
        self.world.restart(where, seconds)

    def pause(self, where: str, seconds: float) -> None:
        """SIGSTOP of a node, and SIGCONT."""
        process = self.world.servers[where].process
        if not process.paused and not process.dead:
            process.pause()
            self._for(seconds, process.go_on)

    # Links

    def cut_nats(self, where: str, direction: str, seconds: float) -> None:
        """Cut a node from NATS, in a direction or both."""
        self._cable(self.world.nats_cables[where], "cut", direction, seconds)

    def cut_database(self, where: str, direction: str, seconds: float) -> None:
        """Cut a node from PostgreSQL."""
        self._cable(self.world.database_cables[where], "cut", direction, seconds)

    def cut_off(self, where: str, lag_seconds: float, seconds: float) -> None:
        """Cut a node from everything but its clients: from PostgreSQL somewhat later than from NATS."""
        self.cut_nats(where, "both", seconds)
        if lag_seconds:
            self._for(lag_seconds, self.cut_database, where, "both", seconds - lag_seconds)
        else:
            self.cut_database(where, "both", seconds)

    def slow_nats(self, where: str, direction: str, seconds: float) -> None:
        """Make the link to NATS slow."""
        self._cable(self.world.nats_cables[where], "slow", direction, seconds)

    def slow_database(self, where: str, direction: str, seconds: float) -> None:
        """Make the link to PostgreSQL slow."""
        self._cable(self.world.database_cables[where], "slow", direction, seconds)

    def _cable(self, cable: Any, flag: str, direction: str, seconds: float) -> None:
        cable.set(flag, direction, True)
        self._for(seconds, cable.set, flag, direction, False)

    # NATS

    def reset_nats(self, where: str, seconds: float) -> None:
        """Let a node lose its connection to NATS again and again; it gets a new one at once."""
        losing = [True]

        def lose() -> None:
            server = self.world.servers[where]
            if losing and server.serving:
                server.process.call_at(self.world.loop.time(), server.node.connection.abandon)
            if losing:
                self.world.later(self.world.network_rng.uniform(*_RESET_SECONDS), lose)

        lose()
        self._for(seconds, losing.clear)

    def kill_nats(self, seconds: float) -> None:
        """End NATS, and start it again."""
        self.world.nats.kill()
        self._for(seconds, self.world.nats.start)

    def lose_changes(self, share: float, seconds: float) -> None:
        """Lose messages with changes for watchers."""
        self.world.nats.losing = share
        self._for(seconds, self._lose_nothing)

    def _lose_nothing(self) -> None:
        self.world.nats.losing = 0.0

    # PostgreSQL

    def freeze_postgres(self, seconds: float) -> None:
        """SIGSTOP of PostgreSQL, and SIGCONT."""
        self.world.postgres.frozen = True
        self._for(seconds, self.world.postgres.thaw)

    def kill_postgres(self, seconds: float) -> None:
        """kill -9 of PostgreSQL, and a new start."""
        self.world.postgres.kill()
        self._for(seconds, self.world.postgres.start)

    def delay_postgres(self, most_seconds: float, seconds: float) -> None:
        """Let each statement take up to so many seconds more."""
        self.world.postgres.slow_seconds = most_seconds
        self._for(seconds, self._delay_nothing)

    def _delay_nothing(self) -> None:
        self.world.postgres.slow_seconds = 0.0

    def break_statements(self, share: float, seconds: float) -> None:
        """Let connections break at statements, before or after they were carried out."""
        self.world.postgres.cutting = share
        self._for(seconds, self._break_nothing)

    def _break_nothing(self) -> None:
        self.world.postgres.cutting = 0.0

    def end_sessions(self) -> None:
        """pg_terminate_backend of all sessions."""
        self.world.postgres.end_sessions()
        self._ended_at = self.world.loop.time()

    def lock_screening(self, screening: int, seconds: float) -> None:
        """Somebody else locks the epoch of a screening."""
        self.world.postgres.locked.add(screening)
        self._for(seconds, self.world.postgres.locked.discard, screening)
