"""Tickets admitted at the door: each once, and one that is in already again and again."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.load.http import CONFLICT, OK, framed, head
from bench.plan import Contenders, Figures
from bench.seats import Repeated
from bench.stage import Frontrow, Stage
from tests.database import execute

CHECK_IN = "/api/v1/check-in"

_TICKETS = 200_000
_FIRST_TICKET = 1_000_000

_SELL = """
INSERT INTO tickets (
    screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at, number_admits
)
SELECT %s, n, n, 'user:' || n, 10, 'confirmed', now(), now(), true FROM generate_series(%s, %s) AS n
"""
_OPEN = """
UPDATE screenings SET starts_at = now() + interval '1 h', ends_at = now() + interval '3 h' WHERE id = %s
"""


@dataclass(frozen=True)
class Scans:
    """Scans of tickets that follow one another, each of another ticket.

    Attributes:
        token: of the scanners.
        first: the first ticket.
        last: the last one.
    """

    token: str
    first: int
    last: int

    def of(self, connection: int, connections: int) -> Iterator[bytes]:
        """Yield the requests of one connection."""
        for ticket_id in range(self.first + connection, self.last + 1, connections):
            yield scan(self.token, ticket_id)


def scan(token: str, ticket_id: int) -> bytes:
    """Return the request that admits a ticket."""
    return head("POST", CHECK_IN, token) + framed(b'{"code":"%d","gate":"North"}' % ticket_id)


class Scanners:
    """The scanners at one server, round after round."""

    def __init__(self, stage: Stage, server: Frontrow, token: str) -> None:
        self._stage = stage
        self._server = server
        self._token = token
        self._next = _FIRST_TICKET

    async def admit(self) -> Figures:
        """Admit tickets that no round before has admitted."""
        scans = Scans(self._token, self._next, _FIRST_TICKET + _TICKETS - 1)
        tally = await self._stage.closed_loop(self._server, scans)
        self._next += max(tally.sent) * len(tally.sent)
        return tally.figures(OK)

    async def refuse(self) -> Figures:
        """Scan a ticket that is in, at all gates at once."""
        tally = await self._stage.closed_loop(self._server, Repeated([scan(self._token, _FIRST_TICKET)]))
        return tally.figures(CONFLICT)


async def prepare(stage: Stage) -> Contenders:
    """Prepare a server whose tickets are sold; PostgreSQL decides each scan, with fsync on."""
    database_url = stage.database()
    server = await stage.start(database_url=database_url)
    (screening, *_) = await server.process.seed(1, 1, 2)
    execute(database_url, _SELL, screening.id, _FIRST_TICKET, _FIRST_TICKET + _TICKETS - 1)
    execute(database_url, _OPEN, screening.id)
    execute(database_url, "VACUUM ANALYZE tickets")
    scanners = Scanners(stage, server, stage.scanner_token)
    return {"admitted": scanners.admit, "already-admitted": scanners.refuse}
