"""The seats of a screening as one dictionary of records, to compare the inventory with.

It keeps no counts and no indexes: each answer is found by looking at all of the records.
"""

from collections import Counter
from math import inf

from engine.deadlines import deadline_of
from engine.records import Block, Hold, Ticket
from engine.seat_records import Availability, Commitment, Kept, Record
from engine.seat_states import SeatStatus
from engine.views import SeatView, Shown, view_of, view_of_kept


class Plain:
    """The state and the block of each seat."""

    def __init__(self, seat_ids: tuple[int, ...]) -> None:
        self.seat_ids = seat_ids
        self.records: dict[int, Hold | Ticket | Commitment] = {}
        self.blocks: dict[int, Block] = {}
        self.vacated: dict[int, str] = {}

    def record(self, seat_id: int) -> Record | None:
        return self.records.get(seat_id) or next(
            (Kept(block.id, block.key) for block in self.blocks.values() if seat_id in block.seat_ids), None
        )

    def all(self) -> dict[int, Record]:
        return {seat_id: record for seat_id in self.seat_ids if (record := self.record(seat_id))}

    def status(self, seat_id: int) -> SeatStatus:
        match self.record(seat_id):
            case None:
                return SeatStatus.AVAILABLE
            case Hold():
                return SeatStatus.HELD
            case Commitment():
                return SeatStatus.COMMITTING
            case Kept():
                return SeatStatus.BLOCKED
            case ticket:
                return SeatStatus(ticket.status.value.replace("confirmed", "booked"))

    def of(self, *statuses: SeatStatus, holder: str | None = None) -> list[int]:
        """The seats in these states, of everybody or of one holder."""
        found = [seat_id for seat_id in self.seat_ids if self.status(seat_id) in statuses]
        return [one for one in found if holder is None or self.records[one].holder == holder]

    def shown(self, seat_id: int) -> Shown:
        match self.record(seat_id):
            case None:
                return SeatView(seat_id, "available", previous_holder=self.vacated.get(seat_id))
            case Kept(_, key):
                return view_of_kept(seat_id, key)
            case Commitment(write, before, _):
                return before or SeatView(seat_id, "reserved", write.holder)
            case record:
                return record

    def unpaid(self) -> Counter[tuple[str, int]]:
        found: Counter[tuple[str, int]] = Counter()
        for seat_id, record in self.records.items():
            match record:
                case Commitment(write, None, _):
                    found[write.holder, seat_id] += 1
                case Commitment(_, before, _) if deadline_of(before) < inf:
                    found[before.holder, seat_id] += 1
                case Hold() | Ticket() if deadline_of(record) < inf:
                    found[record.holder, seat_id] += 1
        return found

    def bought(self, holder: str) -> int:
        """Live tickets: a new one counts at once, an old one until its end is committed."""
        number = 0
        for record in self.records.values():
            sides = (record.before, record.after) if isinstance(record, Commitment) else (record,)
            number += any(isinstance(side, Ticket) and side.holder == holder for side in sides)
        return number

    def availability(self, holder: str) -> Availability:
        free, own, in_progress, held, booked = found = Availability([], [], [], [], [])
        for seat_id in self.seat_ids:
            match self.record(seat_id):
                case None:
                    free.append(seat_id)
                case Hold() as hold:
                    (own if hold.holder == holder else held).append(seat_id)
                case Commitment(write, _, _) if write.holder == holder:
                    in_progress.append(seat_id)
                case Ticket(holder=owner) if owner == holder:
                    booked.append(seat_id)
                case _:
                    sold = view_of(self.shown(seat_id)).status == "booked"
                    (booked if sold else held).append(seat_id)
        return found
