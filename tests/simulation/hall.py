"""A small hall that is nearly always full, with a waiting list, blocks and layouts that change.

Everybody wants one seat at a time. So who has joined the waiting list first is always served first.
`tests.simulation.hall_rules` judges what happens there.
"""

import random
from collections import defaultdict
from typing import Any

from engine.commands import (
    BlockSeats,
    BookSeats,
    CancelTicket,
    HoldSeats,
    JoinWaitlist,
    LeaveWaitlist,
    ReleaseHolds,
    UnblockSeats,
)
from engine.events import SeatsHeld
from engine.records import CHANNEL, channel_key
from engine.vouching import PAYMENTS_SERVICE, vouched_payment
from tests.simulation.desk import ChangeLayout, VouchedBooking
from tests.simulation.plan import HALL, HALL_SEATS, PRICES_CENTS

ORGANISER = "user:9"
ACCESS = (channel_key("press"),)
"""Access keys that let a client take blocked seats."""

ACCESS_SHARE = 0.2


class Hall:
    """Possessions and requests of clients in the hall.

    Attributes:
        paid: what each payment has brought, in cents.
    """

    def __init__(self, paid: dict[str, int]) -> None:
        self.paid = paid
        self._held: dict[int, set[int]] = defaultdict(set)
        self._tickets: dict[int, dict[int, int]] = defaultdict(dict)
        self._entries: dict[int, int] = {}
        self._blocks: list[int] = []
        self._seats = HALL_SEATS
        self._provided = 0

    def wish(
        self, client: int, action: str, rng: random.Random, number: int
    ) -> tuple[Any, dict[str, Any]] | None:
        """Return a request and what the history says of it; None if the client has nothing to do that with.

        Args:
            client: who.
            action: what, one of `tests.simulation.plan.IN_HALL`.
            rng: decides which seat.
            number: of the step, unique in the history.
        """
        user, seat = f"user:{client}", rng.randint(1, self._seats)
        access = ACCESS if rng.random() < ACCESS_SHARE else ()
        said: dict[str, Any] = {"action": action, "screening": HALL, "user": user, "client": user}
        said |= {"seat": seat, "access": bool(access), "note": f"step {number}"}
        match action:
            case "take":
                return HoldSeats(HALL, user, (seat,), note=said["note"], access=access), said
            case "buy":
                payment_id = f"hall-{number}"
                said |= {"seat": min(self._held[client], default=seat), "payment_id": payment_id}
                self.paid[payment_id] = PRICES_CENTS[HALL]
                return BookSeats(HALL, user, (said["seat"],), payment_id, access=access), said
            case "vouch" | "claim":
                # A client may claim a payment of somebody else before it comes.
                self._provided += action == "vouch"
                is_early = action == "claim" and rng.random() < 0.5
                said["payment_id"] = payment_id = f"provider-{self._provided + is_early}"
                self.paid[payment_id] = self.paid[vouched_payment(payment_id)] = PRICES_CENTS[HALL]
                booking = BookSeats(HALL, user, (seat,), payment_id)
                if action == "claim":
                    return booking, said
                booking = booking._replace(actor=PAYMENTS_SERVICE)
                return VouchedBooking(booking, PRICES_CENTS[HALL]), said
            case "give" if self._held[client]:
                said["seat"] = self._held[client].pop()
                return ReleaseHolds(HALL, user, (said["seat"],)), said
            case "return" if self._tickets[client]:
                said["ticket"], said["seat"] = self._tickets[client].popitem()
                return CancelTicket(HALL, user, said["ticket"], said["seat"]), said
            case "join":
                return JoinWaitlist(HALL, user, 1), said
            case "quit" if client in self._entries:
                said["entry"] = self._entries.pop(client)
                return LeaveWaitlist(HALL, user, said["entry"]), said
            case "block":
                return BlockSeats(HALL, ORGANISER, "Press", CHANNEL, (seat,), channel="press"), said
            case "rebuild":
                said["seats"] = rng.choice((HALL_SEATS, HALL_SEATS + 1))
                return ChangeLayout(HALL, said["seats"]), said
            case "unblock" if self._blocks:
                said["block"] = self._blocks.pop()
                return UnblockSeats(HALL, said["block"], ORGANISER), said
        return None

    def said(self, client: int, request: Any, record: dict[str, Any], reply: Any) -> dict[str, Any]:
        """Note what a success gives to a client. Returns what the history says of it."""
        match request:
            case HoldSeats():
                self._held[client].add(record["seat"])
                return {"new": isinstance(reply, SeatsHeld)}
            case BookSeats() | VouchedBooking():
                self._held[client].discard(record["seat"])
                self._tickets[client] |= {ticket.id: ticket.seat_id for ticket in reply.tickets}
            case JoinWaitlist():
                self._entries[client] = reply.entry.id
                return {"entry": reply.entry.id}
            case BlockSeats():
                self._blocks.append(reply.block.id)
                return {"block": reply.block.id}
            case ChangeLayout():
                self._seats = request.seats
        return {}
