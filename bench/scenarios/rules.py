"""The cost of the organiser's rules: holds in screenings with all of them, beside screenings with none."""

from bench.plan import Contenders
from bench.scenarios.holds import Buyers
from bench.seats import SeatPairs
from bench.stage import Frontrow, Stage
from tests.acceptance.seeding import SeededScreening
from tests.database import execute

# No round comes near the personal limit or the last seats of a hall, so no hold is refused.
_RULES = """
UPDATE screenings SET orphan_rule = 'enforce', orphan_share = 0.1, max_per_user = 1000,
    sales_start = now() - interval '1 hour', sales_end = starts_at - interval '1 hour'
"""

_BLOCKS = """
INSERT INTO blocks (id, screening_id, label, kind, seat_ids, created_at, created_by)
SELECT 4000000000 + id, id, 'The last seats', 'house', seat_ids, now(), 'user:1'
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS kept (id, first_id, last_id),
    LATERAL (SELECT ARRAY[first_id, last_id] AS seat_ids) AS pair
"""

# Somebody waits for a seat that is kept back.
_WAITING = """
INSERT INTO waitlist (id, screening_id, holder, quantity, joined_at, joined_epoch, joined_seq, seat_id,
    together, mail, status, seat_ids, epoch, seq, changed_at)
SELECT 5000000000 + id, id, 'user:1', 1, now(), 0, 0, last_id, false, false, 'waiting', '{}', 0, 0, now()
FROM unnest(%s::bigint[], %s::bigint[]) AS wanted (id, last_id)
"""


async def prepare(stage: Stage) -> Contenders:
    """Prepare a server for each, with a database of its own."""
    contenders = {}
    for name in ("no-rules", "all-rules"):
        database_url = stage.database()
        server = await stage.start(database_url=database_url)
        screenings = await _screenings(stage, server)
        if name == "all-rules":
            _set_rules(database_url, screenings)
        pairs = SeatPairs(stage.tokens, await stage.activated(server, screenings))
        contenders[name] = Buyers(stage, pairs, server).hold
    return contenders


async def _screenings(stage: Stage, server: Frontrow) -> list[SeededScreening]:
    plan = stage.plan
    return await server.process.seed(plan.screenings, plan.rows, plan.seats_per_row)


def _set_rules(database_url: str, screenings: list[SeededScreening]) -> None:
    """Give screenings that are not in memory yet a block, somebody who waits, and all rules."""
    ids = [screening.id for screening in screenings]
    last = [screening.last_seat_id for screening in screenings]
    execute(database_url, _RULES)
    execute(database_url, _BLOCKS, ids, [seat_id - 1 for seat_id in last], last)
    execute(database_url, _WAITING, ids, last)
