"""Time to compute the sales funnel of one screening with many reservations, and of all screenings."""

from datetime import UTC, datetime, timedelta

from bench.load.http import OK, framed, head
from bench.plan import Contenders, Figures
from bench.seats import Repeated
from bench.stage import Frontrow, Stage
from tests.database import execute

# A month of reservations, of which a third is paid, a third lapses and a third is given back.
_HOLDS = """
INSERT INTO holds (id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, status,
    closed_at, extensions, price)
SELECT n, n, %s, n, 'user:' || n, at, at + interval '5 min',
    (ARRAY['converted', 'expired', 'released'])[1 + n %% 3], at + interval '4 min', 0, 10
FROM generate_series(1, %s) AS n, LATERAL (SELECT now() - interval '29 days' * n / %s AS at) AS moment
"""

_TICKETS = """
INSERT INTO tickets (screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at, held_at)
SELECT screening_id, id, id, holder, 10, 'confirmed', closed_at, closed_at, reserved_at
FROM holds WHERE status = 'converted'
"""


class Analyst:
    """An administrator who looks at what sells, again and again.

    Args:
        stage: the surroundings.
        server: the server.
        path: of the figures.
    """

    def __init__(self, stage: Stage, server: Frontrow, path: str) -> None:
        self._stage = stage
        self._server = server
        self._request = head("GET", path, stage.admin_token) + framed()

    async def look(self) -> Figures:
        """Look, one request after the other."""
        requests = Repeated([self._request])
        tally = await self._stage.closed_loop(self._server, requests, connections=1)
        return tally.figures(OK)


async def prepare(stage: Stage) -> Contenders:
    """Prepare a server whose screening has had many reservations."""
    database_url = stage.database()
    server = await stage.start(database_url=database_url)
    (screening, *_) = await server.process.seed(1, 1, 2)
    number = stage.plan.reservations
    execute(database_url, _HOLDS, screening.id, number, number)
    execute(database_url, _TICKETS)
    execute(database_url, "VACUUM ANALYZE holds")
    execute(database_url, "VACUUM ANALYZE tickets")
    days = f"from={datetime.now(UTC).date() - timedelta(days=30)}&granularity=day"
    paths = {
        "one-screening": f"/api/v1/admin/screenings/{screening.id}/funnel?{days}",
        "all": f"/api/admin/reservations/analytics?{days}",
    }
    return {name: Analyst(stage, server, path).look for name, path in paths.items()}
