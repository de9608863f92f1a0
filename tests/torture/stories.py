"""Short histories, written by hand or by chance, for tests of the checker."""

import itertools
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from tests.picture_hash import hash_of
from tests.torture.verdict import Verdict, judge

HALL = 1
"""The screening of all stories."""

Span = tuple[float, float | None]
"""Times at which a request was sent and answered; None if it was not answered."""


class Story:
    """A history, told request by request. Users are names; each is a client of its own.

    Args:
        settings: what was promised, as in a record of the kind `settings`.
    """

    def __init__(self, **settings: Any) -> None:
        self.records: list[dict[str, Any]] = [{"kind": "settings", "hold_seconds": 300.0, **settings}]
        self.final: dict[str, Any] = {}
        self._ops = itertools.count(1)

    def ask(
        self,
        action: str,
        user: str,
        at: Span,
        seats: Sequence[int] | None = (),
        *,
        status: int = 200,
        code: str | None = None,
        data: Mapping[str, Any] | None = None,
        **asked: Any,
    ) -> None:
        """Add a request, and its answer if there was one."""
        op = next(self._ops)
        asked = {"action": action, "user": user, "client": user, "screening": HALL, **asked}
        if seats != ():
            asked["seats"] = seats
        self.records.append({"kind": "invoke", "op": op, "time": at[0], **asked})
        if at[1] is None:
            self.records.append({"kind": "unknown", "op": op, "time": at[0] + 10})
        else:
            answer = {"status": status, "code": code, "data": data or {}}
            self.records.append({"kind": "return", "op": op, "time": at[1], **answer})

    def hold(self, user: str, seat: int, at: Span, until: float | None = None, **more: Any) -> None:
        """A hold of one seat, until five minutes after its answer unless told otherwise."""
        ends = until if until is not None else (at[1] or inf) + 300
        self.ask("hold", user, at, [seat], status=201, data={"until": ends}, **more)

    def not_held(self, user: str, seat: int, at: Span, *, booked: bool = False, **more: Any) -> None:
        """A hold that was refused, because somebody else has the seat."""
        taken = {"booked": [seat]} if booked else {"held": [seat]}
        self.ask("hold", user, at, [seat], status=409, code="seats_unavailable", data=taken, **more)

    def release(self, user: str, seat: int, at: Span) -> None:
        self.ask("release", user, at, [seat], status=204)

    def book(
        self,
        user: str,
        seat: int,
        at: Span,
        payment_id: str,
        ticket: int = 0,
        action: str = "book",
        **more: Any,
    ) -> None:
        """A booking of one seat."""
        tickets = [{"id": ticket, "seat": seat, "price": "10.00"}]
        data = {"tickets": tickets}
        self.ask(action, user, at, [seat], status=201, payment_id=payment_id, data=data, **more)

    def cancel(self, user: str, seat: int, at: Span, payment_id: str) -> None:
        self.ask("cancel", user, at, [seat], status=204, payment_id=payment_id)

    def look(self, at: Span, seat: int, status: str, user: str | None = None) -> None:
        """Somebody looks at one seat."""
        self.ask("look", "grace", at, data={"seats": [{"seat": seat, "status": status, "user": user}]})

    def fault(self, name: str, target: str, begins_at: float, ends_at: float, **more: Any) -> None:
        fault = {"fault": name, "target": target, "from": begins_at, "to": ends_at}
        self.records.append({"kind": "fault", **fault, **more})

    def seen(
        self,
        watcher: str,
        time: float,
        position: tuple[int, int],
        *seats: tuple[Any, ...],
        whole: bool = False,
    ) -> None:
        """An update or a picture: seats as (seat, status, user, until), the last two if there are any."""
        names = "seat", "status", "user", "until"
        shown = [dict(zip(names, seat, strict=False)) for seat in seats]
        epoch, seq = position
        record = {
            "kind": "seen",
            "watcher": watcher,
            "time": time,
            "screening": HALL,
            "epoch": epoch,
            "seq": seq,
        }
        self.records.append({**record, "picture" if whole else "changes": shown})

    def hashed(self, watcher: str, time: float, position: tuple[int, int], **picture: str) -> None:
        """A watcher is sent the hash of a picture: statuses by seat, as in `s1="booked"`."""
        seats = {int(name[1:]): status for name, status in picture.items()}
        record = {"kind": "hashed", "watcher": watcher, "time": time, "screening": HALL}
        epoch, seq = position
        self.records.append(
            {**record, "epoch": epoch, "seq": seq, "hash": hash_of(seats), "taken": len(seats)}
        )

    def ends(self, *seats: tuple[Any, ...], **tables: Any) -> None:
        """Set the state found at the end: seats as (seat, status, user), and tables."""
        shown = [dict(zip(("seat", "status", "user"), seat, strict=False)) for seat in seats]
        self.final = {"screenings": {str(HALL): {"seats": shown}}, **tables}

    def judged(self) -> Verdict:
        return judge(self.records, self.final)


def ticket(number: int, seat: int, holder: str, payment_id: str, **more: Any) -> dict[str, Any]:
    """A row of the table of tickets; a booking of its own unless told otherwise."""
    row = {"id": number, "screening_id": HALL, "seat_id": seat, "holder": holder, "booking_id": number}
    return {**row, "payment_id": payment_id, "price": "10.00", "status": "confirmed", **more}


def payment(payment_id: str, holder: str, booking_id: int | None) -> dict[str, Any]:
    """A row of the table of payments."""
    return {"payment_id": payment_id, "holder": holder, "booking_id": booking_id}


def refund(payment_id: str, ticket_id: int | None, amount: str = "10.00") -> dict[str, Any]:
    """A row of the table of refunds."""
    return {"payment_id": payment_id, "ticket_id": ticket_id, "amount": amount, "status": "owed"}
