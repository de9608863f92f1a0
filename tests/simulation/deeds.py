"""The requests of simulated clients, and the tickets and holds that the answers give them."""

import random
from collections import defaultdict
from typing import Any, NamedTuple

import orjson

from api.sales.receipts import TICKET_MOVED, TICKETS_CREATED
from engine.commands import (
    BookSeats,
    CancelTicket,
    ExtendHolds,
    HoldPlaces,
    HoldSeats,
    PlaceOrder,
    ReadSeats,
    ReadStock,
    ReleaseHolds,
    ToggleSeats,
)
from engine.movers import MoveOrder
from engine.places import ticket_type_of
from engine.records import Paper, Receipt
from engine.replies import Stock
from engine.views import SeatMap
from tests.simulation.desk import BuyReservation, Request
from tests.simulation.hall import Hall
from tests.simulation.plan import EVENT, HALL, OF_EVENTS, PRICES_CENTS, SEATS, TICKET_TYPES
from tests.simulation.server import POLICY, WALL

_SEVERAL_TIMES = ("book", "book_held", "pay_twice", "reuse", "cancel")
"""Kinds of requests that clients repeat until they know the outcome."""

_SEVERAL_TIMES_IN_HALL = ("buy", "return", "vouch", "claim")

REPEATS = 12

KEYED_SHARE = 0.7
"""Share of the moves that have an idempotency key; attempts without one are requests of their own."""


class Bought(NamedTuple):
    """A ticket; `payment_id` is None if it was bought without one."""

    screening: int
    seat: int
    payment_id: str | None


class Reservation(NamedTuple):
    """Places that were held."""

    ticket_type: int
    quantity: int


class Deed(NamedTuple):
    """A request.

    Attributes:
        request: what is sent.
        record: what the history says of it.
        repeats: how often it is sent at most, until its outcome is known.
        twin: the same again, to be sent at the same time.
    """

    request: Request
    record: dict[str, Any]
    repeats: int = 1
    twin: Request | None = None


class Deeds:
    """The possessions of all clients.

    Attributes:
        tickets: that they were given, by client and id.
        held: seats that were promised to each client, by screening and seat; some may be lost or have lapsed.
        reservations: of places, by client and id.
        keys: users and idempotency keys of bookings that were answered with success.
        paid: what each payment has brought, in cents.
        answered: payments of which clients know what has become of them.
    """

    def __init__(self) -> None:
        self.tickets: dict[int, dict[int, Bought]] = defaultdict(dict)
        self.held: dict[int, set[tuple[int, int]]] = defaultdict(set)
        self.reservations: dict[int, dict[int, Reservation]] = defaultdict(dict)
        self.keys: set[tuple[str, str]] = set()
        self.paid: dict[str, int] = {}
        self.answered: set[str] = set()
        self.hall = Hall(self.paid)
        self._known: set[int] = set()

    def wish(self, client: int, action: str, screening: int, rng: random.Random, number: int) -> Deed | None:
        """Return what a client asks for; None if it has nothing to do that with.

        Args:
            client: who.
            action: what, one of `tests.simulation.plan.ACTIONS`.
            screening: where, for seats.
            rng: decides which seats.
            number: of the step, unique in the history.
        """
        if screening == HALL:
            wish = self.hall.wish(client, action, rng, number)
            return None if wish is None else Deed(*wish, REPEATS if action in _SEVERAL_TIMES_IN_HALL else 1)
        seats = tuple(sorted(rng.sample(range(1, SEATS + 1), rng.choice((1, 1, 2, 3)))))
        if action in OF_EVENTS:
            return self._with_places(client, action, rng, number)
        if action == "move":
            if mine := [each for each in self.tickets[client].items() if each[1].screening != EVENT]:
                key = f"move-{number}" if rng.random() < KEYED_SHARE else None
                return self._move(client, *mine[-1], screening, seats[0], number, key)
            action = "book"
        record = {"action": action, "screening": screening, "user": f"user:{client}"}
        record["client"] = user = record["user"]
        payment_id = f"pay-{number}"
        request: Request
        twin = None
        match action:
            case "hold":
                request = HoldSeats(screening, user, seats, note=f"step {number}")
            case "toggle":
                request = ToggleSeats(screening, user, seats)
            case "extend":
                request = ExtendHolds(screening, user, seats, 4.0)
            case "release":
                request = ReleaseHolds(screening, user, seats)
            case "look":
                return Deed(ReadSeats(screening), record)
            case "cancel":
                tickets = self.tickets[client].items()
                mine = [(each, bought) for each, bought in tickets if bought.screening == screening]
                if not mine:
                    return None
                ticket_id, (_, seat, payment_id) = mine[-1]
                del self.tickets[client][ticket_id]
                seats = (seat,)
                record["ticket"] = ticket_id
                request = CancelTicket(screening, user, ticket_id, seat)
            case _:
                if action == "book_held":
                    held = sorted(seat for at, seat in self.held[client] if at == screening)
                    seats = tuple(held[: rng.randint(1, 3)]) or seats
                elif action == "reuse":
                    used = self._payment_of(client, screening, rng)
                    if used is None:
                        return None
                    payment_id, seats = used, seats[:1]
                request = booking(
                    screening, client, seats, payment_id, f"key-{number}", action == "book_held"
                )
                if action == "pay_twice":
                    twin = booking(screening, client, seats, payment_id, f"twin-{number}", held_only=False)
                record["action"] = "book_held" if request.held_only else "book"
                self.paid.setdefault(payment_id, PRICES_CENTS[screening] * len(seats))
        record["seats"] = list(seats)
        if action in _SEVERAL_TIMES:
            record["payment_id"] = payment_id
        return Deed(request, record, REPEATS if action in _SEVERAL_TIMES else 1, twin)

    def _payment_of(self, client: int, screening: int, rng: random.Random) -> str | None:
        """Return a payment that has paid for one seat."""
        price_cents = PRICES_CENTS[screening]
        mine = {
            bought.payment_id for bought in self.tickets[client].values() if bought.screening == screening
        }
        used = sorted(each for each in mine if each is not None and self.paid.get(each) == price_cents)
        return rng.choice(used) if used else None

    def _move(
        self,
        client: int,
        ticket_id: int,
        bought: Bought,
        screening: int,
        seat: int,
        number: int,
        key: str | None,
    ) -> Deed | None:
        """Move a ticket to a seat, and pay what that costs more."""
        if bought[:2] == (screening, seat):
            return None
        del self.tickets[client][ticket_id]
        user, order_payment, due = f"user:{client}", None, None
        if (more := PRICES_CENTS[screening] - PRICES_CENTS[bought.screening]) > 0:
            order_payment, due = f"more-{number}", more
            self.paid[order_payment] = more
        receipt = key and Receipt(user, key, key.encode(), TICKET_MOVED.name)
        order = MoveOrder(user, (ticket_id,), screening, (seat,), order_payment, due, receipt=receipt or None)
        record: dict[str, Any] = {"action": "move", "screening": screening, "user": user, "client": user}
        record |= {"seats": [seat], "from_screening": bought.screening, "from_seat": bought.seat}
        record |= {"ticket": ticket_id, "payment_id": bought.payment_id, "key": key}
        return Deed(order, record, REPEATS)

    def _with_places(self, client: int, action: str, rng: random.Random, number: int) -> Deed | None:
        kind, quantity = rng.choice(tuple(TICKET_TYPES)), rng.choice((1, 1, 2))
        user = f"user:{client}"
        record: dict[str, Any] = {"screening": EVENT, "user": user, "client": user}
        reservations = self.reservations[client]
        if action == "count":
            return Deed(ReadStock(EVENT), {**record, "action": "look", "ticket_type": kind})
        if action == "order":
            wanted = {"action": "hold", "ticket_type": kind, "quantity": quantity}
            orders = (PlaceOrder(kind, quantity),)
            return Deed(HoldPlaces(EVENT, user, orders, POLICY.hold_seconds), {**record, **wanted})
        if action == "cancel_place":
            tickets = self.tickets[client].items()
            mine = [(each, bought.seat) for each, bought in tickets if bought.screening == EVENT]
            if not mine:
                return None
            ticket_id, place = mine[-1]
            del self.tickets[client][ticket_id]
            wanted = {"action": "cancel", "ticket_type": ticket_type_of(place), "ticket": ticket_id}
            return Deed(CancelTicket(EVENT, user, ticket_id, place), {**record, **wanted}, REPEATS)
        if not reservations:
            return None
        reservation_id = sorted(reservations)[-1]
        kind, quantity = reservations.pop(reservation_id)
        wanted = {"ticket_type": kind, "quantity": quantity, "reservation": reservation_id}
        if action == "give_back":
            release = ReleaseHolds(EVENT, user, reservation_id=reservation_id)
            return Deed(release, {**record, "action": "release", **wanted})
        papers = tuple([Paper(f"code-{number}-{place}", b"%d" % number) for place in range(quantity)])
        order = PlaceOrder(kind, quantity)
        buy = BuyReservation(EVENT, user, reservation_id, order, papers)
        return Deed(buy, {**record, "action": "book", **wanted}, REPEATS)

    def said(self, request: Any, record: dict[str, Any], reply: Any) -> dict[str, Any]:
        """Note what a success gives to a client. Returns what the history says of it."""
        client = int(record["user"].removeprefix("user:"))
        held, at = self.held[client], record["screening"]
        if at == HALL:
            return self.hall.said(client, request, record, reply)
        match request:
            case ReadSeats():
                assert isinstance(reply, SeatMap)
                return {"epoch": reply.epoch, "seq": reply.seq, "seats": seats_of(reply)}
            case ReadStock():
                assert isinstance(reply, Stock)
                return {"left": reply.ticket_types[record["ticket_type"]].available}
            case HoldPlaces():
                (holds,) = reply.reservations
                self.reservations[client][holds[0].reservation_id] = Reservation(*request.orders[0])
                return {"reservation": holds[0].reservation_id, "until": holds[0].expires_at - WALL}
            case BuyReservation():
                self.tickets[client] |= {each.id: Bought(EVENT, each.seat_id, None) for each in reply.tickets}
                return {"tickets": [{"id": each.id} for each in reply.tickets]}
            case HoldSeats() | ExtendHolds():
                held |= {(at, hold.seat_id) for hold in reply.holds}
                until = {str(hold.seat_id): hold.expires_at - WALL for hold in reply.holds}
                return {"until": until, "seats": [hold.seat_id for hold in reply.holds]}
            case BookSeats():
                return self._booked(client, request, reply)
            case MoveOrder():
                return self._moved(client, request, reply)
            case ToggleSeats():
                taken = [hold.seat_id for hold in reply.held]
                given = [hold.seat_id for hold in reply.releasing.holds] if reply.releasing else []
                held |= {(at, seat) for seat in taken}
                held -= {(at, seat) for seat in given}
                until = {str(hold.seat_id): hold.expires_at - WALL for hold in reply.held}
                return {"reserved": taken, "released": given, "until": until}
            case ReleaseHolds():
                held -= {(at, seat) for seat in request.seat_ids or ()}
        return {}

    def _moved(self, client: int, request: MoveOrder, reply: Any) -> dict[str, Any]:
        """A repeat with a key is answered with what has become of its first attempt."""
        if request.receipt is None:
            (ticket,) = reply.tickets
            ticket_id, seat, payment_id = ticket.id, ticket.seat_id, ticket.payment_id
        else:
            self.keys.add(request.receipt[:2])
            said = orjson.loads(reply.body.plain)
            ticket_id, seat, payment_id = said["id"], said["seat_id"], said["payment_id"]
        at = request.screening_id
        self.held[client].discard((at, seat))
        self.tickets[client][ticket_id] = Bought(at, seat, payment_id)
        return {}

    def _booked(self, client: int, request: BookSeats, reply: Any) -> dict[str, Any]:
        if request.receipt is None:
            tickets = [(ticket.id, ticket.seat_id) for ticket in reply.tickets]
        else:
            self.keys.add(request.receipt[:2])
            tickets = [(each["id"], each["seat_id"]) for each in orjson.loads(reply.body.plain)]
        at, payment_id = request.screening_id, request.payment_id
        self.held[client] -= {(at, seat) for _, seat in tickets}
        # A repeat may be answered when the ticket has moved, or has been cancelled.
        new = [each for each in tickets if each[0] not in self._known]
        self._known.update(ticket_id for ticket_id, _ in new)
        self.tickets[client] |= {ticket_id: Bought(at, seat, payment_id) for ticket_id, seat in new}
        return {"tickets": [{"id": ticket_id, "seat": seat} for ticket_id, seat in tickets]}


def booking(
    screening: int, client: int, seats: tuple[int, ...], payment_id: str, key: str, held_only: bool
) -> BookSeats:
    """Return a booking with an idempotency key."""
    user = f"user:{client}"
    receipt = Receipt(user, key, key.encode(), TICKETS_CREATED.name)
    return BookSeats(screening, user, seats, payment_id, held_only=held_only, receipt=receipt)


def seats_of(seat_map: SeatMap) -> list[dict[str, Any]]:
    """Return a seat map as a history has it."""
    views = seat_map.views
    return [
        {"seat": seat.id, "status": "available"}
        if (view := views.get(seat.id)) is None or view.status == "available"
        else {"seat": seat.id, "status": view.status, "user": view.holder}
        for seat in seat_map.layout.seats
    ]
