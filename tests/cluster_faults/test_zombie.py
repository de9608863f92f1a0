"""An owner is stopped (SIGSTOP) until it has lost its hall, and continued: it writes and promises nothing.

Requests that reach the stopped node wait in its sockets, so they are the first that it handles afterwards.
"""

import asyncio
from collections.abc import Sequence

import pytest

from cluster.nats_server import NatsServer
from frontrow_client import ApiError, Conflict, ConnectionFailed, Reserved, Unavailable
from tests.acceptance.buyers import Buyer
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.purchases import CLEAN, PurchaseLog
from tests.acceptance.seeding import SeededScreening, seeded
from tests.acceptance.server_process import ServerProcess
from tests.cluster_faults.crowd import crowd_at
from tests.cluster_faults.nodes import QUICK, Nodes, cluster_of, eventually
from tests.database import execute

PROBER, FIRST_WAITING, FIRST_OTHER = 900, 950, 970
WAITING = 10

_EVENTS_OF_SEAT = """
SELECT epoch, seq, kind, actor FROM screening_events WHERE screening_id = %s AND %s = ANY(seat_ids)
ORDER BY epoch, seq
"""


Answer = Reserved | ApiError | None


async def _answer(buyer: Buyer, hall: SeededScreening, seat_id: int) -> Answer:
    try:
        return await buyer.reserve(hall.id, [seat_id])
    except (Conflict, Unavailable) as refusal:
        return refusal
    except ConnectionFailed:
        return None


async def _false_answers(
    nodes: Nodes, hall: SeededScreening, seat_ids: Sequence[int], answers: Sequence[Answer]
) -> list[str]:
    """Describe seats that were promised to the users from `FIRST_WAITING` and are not theirs."""
    false = []
    for user_id, (seat_id, answer) in enumerate(zip(seat_ids, answers, strict=True), start=FIRST_WAITING):
        if isinstance(answer, Reserved):
            seats = await nodes.buyer(user_id).seats(hall.id)
            (seat,) = [seat for seat in seats if seat.seat.id == seat_id]
            if not seat.is_mine:
                events = execute(nodes.database_url, _EVENTS_OF_SEAT, hall.id, seat_id)
                false.append(f"{answer} promised, but {seat.status}: {events}")
    return false


async def _stop_owners(database_url: str, nats_url: str, stops: int, figures: Figures) -> None:
    log = PurchaseLog("zombie")
    promised = waited_for = 0
    false_answers: list[str] = []
    halls = await seeded(database_url, stops, 12, 50)
    async with cluster_of(3, database_url, nats_url, **QUICK) as nodes:
        await nodes.settled()
        for number, hall in enumerate(halls):
            # Only the waiting requests want the last seats.
            wanted = [*hall.seat_ids][-WAITING:]
            on_sale = hall._replace(last_seat_id=hall.last_seat_id - WAITING)
            await nodes.bookable_again(on_sale, PROBER)
            zombie = nodes.owner_of(hall)
            assert zombie is not None
            async with crowd_at(nodes, log, [on_sale], seed=number):
                await asyncio.sleep(0.5)
                nodes.frozen.add(zombie)
                zombie.freeze()
                waiting = [
                    asyncio.create_task(_answer(nodes.buyer(FIRST_WAITING + n, zombie), hall, seat_id))
                    for n, seat_id in enumerate(wanted)
                ]

                async def lost(on_sale: SeededScreening = on_sale, zombie: ServerProcess = zombie) -> bool:
                    await nodes.bookable_again(on_sale, PROBER)
                    return nodes.owner_of(on_sale) is not zombie

                await eventually(lost)
                # Half of what the waiting requests want is held for others meanwhile.
                for n, seat_id in enumerate(wanted[::2]):
                    await nodes.buyer(FIRST_OTHER + n).reserve(hall.id, [seat_id])
                zombie.thaw()
                answers = await asyncio.gather(*waiting)
                nodes.frozen.discard(zombie)
            await nodes.settled()
            waited_for += sum(answer is not None for answer in answers)
            promised += sum(isinstance(answer, Reserved) for answer in answers)
            assert not any(isinstance(answer, Reserved) for answer in answers[::2])
            false_answers += await _false_answers(nodes, hall, wanted, answers)
            watcher = nodes.watcher(zombie, hall, PROBER)
            await watcher.connect()
            await nodes.shows_the_truth(watcher, hall, PROBER)
            await watcher.disconnect()
        await log.settle()
        audit = log.audit(database_url)

    figures(
        stops=stops,
        acknowledged=len(log.acknowledged),
        **vars(audit),
        late_writes=late_writes_in(database_url),
        answered_by_the_zombie=waited_for,
        promised=promised,
        false_answers=len(false_answers),
    )
    assert audit == CLEAN
    assert late_writes_in(database_url) == 0
    assert not false_answers
    assert waited_for > 0


@pytest.mark.gen_test(timeout=510)
async def test_a_stopped_owner_steps_down(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    await _stop_owners(database_url, nats_server.url, count_of("ZOMBIES", 2), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_a_stopped_owner_steps_down_many_times(
    database_url: str, nats_server: NatsServer, figures: Figures
) -> None:
    await _stop_owners(database_url, nats_server.url, count_of("SOAK_ZOMBIES", 50), figures)
