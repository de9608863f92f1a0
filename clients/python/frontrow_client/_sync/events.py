"""Events with tickets by quantity: the public API, and its administration."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from frontrow_client._sync.base import Base, given
from frontrow_client.public_models import (
    Event,
    Person,
    Purchase,
    ShownTicket,
    TicketAvailability,
    TicketReservation,
    TicketReservations,
    TicketTypeRecord,
)

_RESERVATIONS = "/api/public/reservations"


class Events(Base):
    """Events and their tickets.

    A guest without a token gives its `session` (see `new_session`). `key` is an idempotency key; without one
    each call has its own.
    """

    def events(self, *, search: str | None = None, venue: str | None = None) -> Iterator[Event]:
        """Iterate over the events that the caller may see, without their ticket types."""
        return self._pages("/api/public/events", Event, **given(search=search, venue=venue))

    def event(self, event_id: str) -> Event:
        """Return an event with its ticket types.

        Raises:
            NotFound: there is none, or it is private.
        """
        return self._get(f"/api/public/events/{event_id}", Event)

    def ticket_availability(self, ticket_type_id: str) -> TicketAvailability:
        """Return how many tickets of a type are left."""
        return self._get(f"/api/public/availability/{ticket_type_id}", TicketAvailability)

    def reserve_tickets(
        self,
        orders: Mapping[str, int],
        *,
        session: str | None = None,
        minutes: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        access_code: str | None = None,
        key: str | None = None,
    ) -> list[TicketReservation]:
        """Reserve tickets, all or none.

        Args:
            orders: quantities by the ids of ticket types.
            session: see the class.
            minutes: for how long; by default ten.
            metadata: data of your own, which is returned unchanged.
            access_code: opens the tickets of a channel, and its presale.
            key: see the class.

        Returns:
            A reservation for each order.

        Raises:
            NotEnoughTickets: fewer are left.
            OrderLimitExceeded, PersonLimitExceeded, HoldLimitExceeded: it would be too much.
            SalesNotOpen, SalesClosed: they are not on sale.
        """
        wanted = [{"ticketTypeId": kind, "quantity": quantity} for kind, quantity in orders.items()]
        body = given(reservations=wanted, sessionId=session, expirationMinutes=minutes, metadata=metadata)
        headers = given(**{"X-Access-Code": access_code})
        made = self._post(_RESERVATIONS, TicketReservations, body, key=key, headers=headers)
        return made.reservations

    def my_ticket_reservations(self, *, session: str | None = None) -> Iterator[TicketReservation]:
        """Iterate over the caller's active reservations of tickets."""
        return self._pages(_RESERVATIONS, TicketReservation, **given(sessionId=session))

    def ticket_reservation(self, reservation_id: str, *, session: str | None = None) -> TicketReservation:
        """Return a reservation, also one that has ended."""
        return self._get(f"{_RESERVATIONS}/{reservation_id}", TicketReservation, **given(sessionId=session))

    def extend_tickets(
        self, reservation_id: str, minutes: int, *, session: str | None = None, key: str | None = None
    ) -> TicketReservation:
        """Keep reserved tickets for some more minutes.

        Raises:
            ExtensionLimitReached: that is too often, or too long.
            ReservationEnded: it is too late.
        """
        body = given(additionalMinutes=minutes, sessionId=session)
        path = f"{_RESERVATIONS}/{reservation_id}"
        made = self.request("PATCH", path, TicketReservations, json=body, key=key)
        return made.all[0]

    def release_tickets(self, reservation_id: str, *, session: str | None = None) -> TicketReservation:
        """Give reserved tickets back."""
        path = f"{_RESERVATIONS}/{reservation_id}"
        return self.request("DELETE", path, TicketReservation, params=given(sessionId=session))

    def purchase(
        self,
        reservation_id: str,
        buyer: Person,
        holders: Sequence[Person],
        *,
        expected_total: float | None = None,
        session: str | None = None,
        key: str | None = None,
    ) -> Purchase:
        """Buy reserved tickets. The same purchase again returns the same tickets.

        Args:
            reservation_id: the reservation.
            buyer: who buys.
            holders: who comes, one for each ticket.
            expected_total: what the buyer has agreed to pay in all.
            session, key: see the class.

        Raises:
            ReservationEnded: it has expired or was cancelled.
            PriceChanged: the total is not the expected one.
            NotAllowed: guests do not buy on this server (`account_required`).
        """
        body = given(
            buyerInfo=buyer, ticketHolders=list(holders), expectedTotal=expected_total, sessionId=session
        )
        return self._post(f"{_RESERVATIONS}/{reservation_id}/purchase", Purchase, body, key=key)

    def shown_tickets(self, *, session: str | None = None) -> Iterator[ShownTicket]:
        """Iterate over the caller's tickets for seats and events, with titles, places and times."""
        return self._pages("/api/public/tickets", ShownTicket, **given(sessionId=session))

    def ticket_picture(self, ticket_id: int | str, form: str = "svg", *, session: str | None = None) -> bytes:
        """Return the QR code of a ticket as a picture, "svg" or "png"."""
        path = f"/api/public/tickets/{ticket_id}/qr.{form}"
        return self.request("GET", path, bytes, params=given(sessionId=session), headers={"Accept": "*/*"})

    def ticket_calendar(self, ticket_id: int | str, *, session: str | None = None) -> bytes:
        """Return the calendar entry of a ticket's booking (iCalendar)."""
        path = f"/api/public/tickets/{ticket_id}/calendar.ics"
        return self.request("GET", path, bytes, params=given(sessionId=session), headers={"Accept": "*/*"})

    # For administrators

    def create_event(self, title: str, starts_at: datetime | str, **fields: Any) -> Event:
        """Create an event.

        Further fields as in JSON: venue, endDate, timeZone, private, maxPerUser and others.
        """
        return self._post("/api/admin/events", Event, {"title": title, "startDate": starts_at, **fields})

    def create_ticket_type(
        self, event_id: str, name: str, price: float, capacity: int, **fields: Any
    ) -> TicketTypeRecord:
        """Create a type of tickets.

        Further fields as in JSON: maxPerOrder, maxPerUser, salesStart and others.
        """
        body = {"eventId": event_id, "name": name, "price": price, "capacity": capacity, **fields}
        return self._post("/api/admin/ticket-types", TicketTypeRecord, body)
