"""Judges a hall with a waiting list and blocks from what clients were told, and from the tables at the end.

A hold counts only if it has been written: then everything that had happened before it was written, too, also
the offers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from engine.views import SeatMap
from engine.vouching import vouched_payment
from engine.waitlist_records import WaitStatus
from tests.simulation.plan import HALL
from tests.simulation.tables import LIVE, Tables

SLACK_SECONDS = 0.5
"""Largest error of a node's clock."""


@dataclass
class _Told:
    """A request that was answered with success."""

    asked: dict[str, Any]
    data: dict[str, Any]
    from_time: float
    to_time: float


class HallRules:
    """The rules of the hall.

    Args:
        records: what clients have asked and were told.
        tables: after everything has come to rest.
        wall: the wall clock at the beginning.
        offer_seconds: how long an offer is held.
        now: the wall clock at the end.
    """

    def __init__(
        self,
        records: Sequence[dict[str, Any]],
        tables: Tables,
        wall: float,
        offer_seconds: float,
        now: float,
    ) -> None:
        self._tables = tables
        self._wall = wall
        self._offer_seconds = offer_seconds
        self._now = now
        self._asked = [each for each in records if each["kind"] == "invoke"]
        by_op = {each["op"]: each for each in self._asked}
        self._answered = [
            by_op[each["op"]] for each in records if each["kind"] == "return" and each["status"] in (200, 409)
        ]
        self._told = [
            _Told(asked, each["data"], asked["first_at"], each["time"])
            for each in records
            if each["kind"] == "return" and each["status"] == 200
            for asked in (by_op[each["op"]],)
        ]

    def broken(self, seat_map: SeatMap, *, calm: bool) -> list[str]:
        """Return what is wrong.

        Args:
            seat_map: of the hall, at the end.
            calm: nothing was broken in this history, so that no hold may be lost.
        """
        free = [seat.id for seat in seat_map.layout.seats if seat.id not in seat_map.views]
        return [
            *[
                f"entry {one} was served before {other}, which had joined earlier"
                for one, other in self._tables.overtaken
            ],
            *[f"seat {seat} was taken, but is not in the layout" for _, seat in self._tables.misplaced],
            *(self._lost_holds() if calm else ()),
            *self._entries(),
            *self._forgotten_vouchers(),
            *self._taken_before_those_who_wait(),
            *self._taken_although_kept_back(),
            *self._at_rest(seat_map, free),
        ]

    def _of(self, *actions: str) -> Iterator[_Told]:
        return (each for each in self._told if each.asked["action"] in actions)

    def _written_takes(self) -> Iterator[_Told]:
        """Free seats that were taken for sure, by customers without access to what is kept back."""
        written = {(row["holder"], row["note"]) for row in self._tables.holds.values()}
        had = {(each["user"], each["seat"]) for each in self._asked if each["action"] == "take"}
        for row in self._tables.waitlist.values():
            had |= {(row["holder"], seat) for seat in row["seat_ids"]}
        for each in self._of("take", "buy"):
            asked = each.asked
            if asked["action"] == "take":
                is_certain = (asked["user"], asked["note"]) in written
            else:
                is_certain = (asked["user"], asked["seat"]) not in had
            if is_certain and not asked["access"]:
                yield each

    def _lost_holds(self) -> Iterator[str]:
        written = {(row["holder"], row["note"]) for row in self._tables.holds.values()}
        for taken in self._of("take"):
            asked = taken.asked
            if taken.data["new"] and (asked["user"], asked["note"]) not in written:
                yield f"{asked['user']} held seat {asked['seat']} at {taken.to_time:.3f}: not written"

    def vouched_payments(self) -> set[str]:
        """Return the payments that a service vouches for."""
        return {name for name, row in self._tables.payments.items() if row["vouched_by"] == "service"}

    def _forgotten_vouchers(self) -> Iterator[str]:
        """Check that payments which the service vouches for belong to its customers."""
        for asked in self._answered:
            if asked["action"] == "vouch":
                names = {asked["payment_id"], vouched_payment(asked["payment_id"])}
                rows = [self._tables.payments[name] for name in names & self.vouched_payments()]
                if [row["holder"] for row in rows] != [asked["user"]]:
                    yield f"{asked['payment_id']} of {asked['user']} was vouched for, and recorded as {rows}"

    def _entries(self) -> Iterator[str]:
        """An acknowledged place in the line survives, and so does leaving it."""
        rows = self._tables.waitlist
        for joined in self._of("join"):
            if joined.data["entry"] not in rows:
                yield f"{joined.asked['user']} was told of entry {joined.data['entry']}, which is lost"
        for left in self._of("quit"):
            if rows[left.asked["entry"]]["status"] in (WaitStatus.WAITING, WaitStatus.OFFERED):
                yield f"entry {left.asked['entry']} has been left, but is still there"

    def _taken_before_those_who_wait(self) -> Iterator[str]:
        for joined in self._of("join"):
            entry_id = joined.data["entry"]
            until = self._waits_until(entry_id) - SLACK_SECONDS
            for taken in self._written_takes():
                if joined.to_time < taken.from_time and taken.to_time < until:
                    yield (
                        f"{taken.asked['user']} got seat {taken.asked['seat']} at {taken.to_time:.3f}, "
                        f"while entry {entry_id} waited"
                    )

    def _waits_until(self, entry_id: int) -> float:
        row = self._tables.waitlist.get(entry_id)
        if row is None:
            return -inf
        ends = [each["time"] for each in self._asked if each.get("entry") == entry_id]
        if row["expires_at"] is not None:
            ends.append(row["expires_at"] - self._offer_seconds - self._wall)
        return min(ends, default=inf)

    def _taken_although_kept_back(self) -> Iterator[str]:
        for kept in self._of("block"):
            block_id, seat = kept.data["block"], kept.asked["seat"]
            until = self._released_at(block_id)
            for taken in self._written_takes():
                in_time = kept.to_time < taken.from_time and taken.to_time < until
                if in_time and taken.asked["seat"] == seat:
                    yield f"{taken.asked['user']} got seat {seat}, which was kept back by block {block_id}"

    def _released_at(self, block_id: int) -> float:
        return min((each["time"] for each in self._asked if each.get("block") == block_id), default=inf)

    def _at_rest(self, seat_map: SeatMap, free: Sequence[int]) -> Iterator[str]:
        """All holds have lapsed, and offers in time: those who wait get the same seat one after the other."""
        layout = self._tables.screenings[HALL][1]
        if (seat_map.layout.version, seat_map.layout.seats) != (layout.version, layout.seats):
            yield f"{seat_map.layout.version} is not the present version of the layout, {layout.version}"
        for row in self._tables.waitlist.values():
            if row["status"] == WaitStatus.OFFERED and row["expires_at"] < self._now - SLACK_SECONDS:
                yield f"the offer to entry {row['id']} has not ended"
            if row["status"] == WaitStatus.WAITING and free:
                yield f"entry {row['id']} waits, but seats {free} are free"
        released = {each.asked["block"] for each in self._of("unblock")}
        for kept in self._of("block"):
            block_id, seat = kept.data["block"], kept.asked["seat"]
            is_sold = any(
                (row["screening_id"], row["seat_id"]) == (HALL, seat) and row["status"] in LIVE
                for row in self._tables.tickets.values()
            )
            view = seat_map.views.get(seat)
            is_kept = view is not None and view.blocked
            if self._released_at(block_id) == inf and not is_kept and not is_sold:
                yield f"seat {seat} of block {block_id} is not kept back any more"
            blocks = [each for each in self._asked if (each["action"], each["seat"]) == ("block", seat)]
            if is_kept and len(blocks) == 1 and block_id in released:
                yield f"seat {seat} is kept back, although block {block_id} was released"
