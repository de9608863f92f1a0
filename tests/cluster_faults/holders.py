"""Users who hold seats at random nodes at a given pace, and repeat a failed request once."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from frontrow_client import FrontrowError
from tests.acceptance.buyers import Buyer
from tests.acceptance.seeding import SeededScreening
from tests.cluster_faults.nodes import UNSETTLED_SECONDS, Nodes

FIRST_HOLDER = 2000
REPEAT_SECONDS = 0.2
"""Pause before a request is repeated; less than `Retry-After`, which is at least a second."""


@dataclass
class HolderLog:
    """Results of the holders' requests.

    Attributes:
        held: acknowledged seats by user and screening.
        seconds: of each request, its repetition included.
        repeated: requests that failed at first.
        failed: those that failed again, with what happened.
    """

    held: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    repeated: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Number of acknowledged seats."""
        return sum(map(len, self.held.values()))

    def quantile(self, share: float) -> float:
        """The seconds in which this share of the requests was answered."""
        return sorted(self.seconds)[int(len(self.seconds) * share)] if self.seconds else 0.0

    async def lost(self, nodes: Nodes) -> int:
        """Return how many acknowledged holds are gone."""
        lost = 0
        for screening_id in {screening_id for _, screening_id in self.held}:
            seats = await nodes.buyer(FIRST_HOLDER).seats(screening_id)
            holders = {state.seat.id: state.reserved_by for state in seats}
            for (user_id, held_in), seat_ids in self.held.items():
                if held_in == screening_id:
                    lost += sum(holders[seat_id] != user_id for seat_id in seat_ids)
        return lost


@asynccontextmanager
async def holders_at(
    nodes: Nodes,
    log: HolderLog,
    halls: Sequence[SeededScreening],
    *,
    holders: int,
    first_seat: int = 0,
    pause_seconds: float,
) -> AsyncIterator[None]:
    """Let users hold one seat after the other as long as the block lasts.

    Args:
        nodes: the cluster.
        log: their records.
        halls: each user goes through the halls in turn.
        holders: number of users. No two want the same seat.
        first_seat: the first of the seats that they want, by position.
        pause_seconds: from the beginning of a request to the next one of the user, at least.
    """
    over = asyncio.Event()
    tasks = [
        asyncio.create_task(_hold(nodes, log, halls, number, holders, first_seat, pause_seconds, over))
        for number in range(holders)
    ]
    try:
        yield
    finally:
        over.set()
        async with asyncio.timeout(UNSETTLED_SECONDS):
            await asyncio.gather(*tasks)


async def _hold(
    nodes: Nodes,
    log: HolderLog,
    halls: Sequence[SeededScreening],
    number: int,
    holders: int,
    first_seat: int,
    pause_seconds: float,
    over: asyncio.Event,
) -> None:
    wanted = (
        (hall, position)
        for position in range(first_seat + number, len(halls[0].seat_ids), holders)
        for hall in halls
    )
    for turn, (hall, position) in enumerate(wanted):
        if over.is_set():
            return
        began = time.monotonic()
        # A user may only hold a few seats.
        user_id = FIRST_HOLDER + number + holders * (turn // 5 + 1000 * first_seat)
        seat_id = hall.seat_ids[position]
        said = await _requested(nodes.buyer(user_id), hall, seat_id)
        if said is not None:
            log.repeated += 1
            await asyncio.sleep(REPEAT_SECONDS)
            said = await _requested(nodes.buyer(user_id), hall, seat_id)
        log.seconds.append(time.monotonic() - began)
        if said is None:
            log.held.setdefault((user_id, hall.id), set()).add(seat_id)
        else:
            log.failed.append(said)
        await asyncio.sleep(max(0.0, began + pause_seconds - time.monotonic()))
    assert over.is_set(), "the holders need more seats"


async def _requested(buyer: Buyer, hall: SeededScreening, seat_id: int) -> str | None:
    """Hold a seat. Returns the failure, if it failed."""
    try:
        await buyer.reserve(hall.id, [seat_id])
    except FrontrowError as error:
        return repr(error)
    return None
