"""Seats of a screening: seeing them, reserving them, waiting for them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from frontrow_client._async.base import AsyncBase, given
from frontrow_client.models import Reservation, Reserved, Scarcity, SeatState, Toggled, WaitlistEntry

_SEATS = "/api/v1/seat-reservations"
_WAITLIST = "/api/v1/waitlist"


def _with_code(access_code: str | None) -> dict[str, str]:
    return given(**{"X-Access-Code": access_code})


class AsyncSeats(AsyncBase):
    """Reservations of seats.

    `access_code` opens the seats that are kept back for a channel of buyers, and its presale. `key` is an
    idempotency key; without one each call has its own, which already protects its repetitions. `reserve` and
    `release` need none.
    """

    async def seats(self, screening_id: int) -> list[SeatState]:
        """Return all seats of a screening, with what the caller has of them.

        Raises:
            NotFound: there is no such screening.
        """
        own = "" if await self._current_token() is None else "/me"
        return await self._get(f"{_SEATS}/screening/{screening_id}/availability{own}", list[SeatState])

    async def scarcity(self, screening_id: int) -> Scarcity:
        """Return how many seats of a screening, or places of an event, are left."""
        return await self._get(f"/api/v1/screenings/{screening_id}/availability", Scarcity)

    async def reserve(
        self,
        screening_id: int,
        seat_ids: Sequence[int],
        *,
        access_code: str | None = None,
        key: str | None = None,
    ) -> Reserved:
        """Reserve seats, all or none.

        Raises:
            SeatsUnavailable: others have some of them.
            WouldStrandSeat: they would leave a single seat, which the screening does not allow.
            PersonLimitExceeded, HoldLimitExceeded: it would be too much for one person, or at a time.
            SalesNotOpen, SalesClosed: nothing is on sale yet, or any more.
        """
        body = {"screening_id": screening_id, "seat_ids": list(seat_ids)}
        # Seats that the caller has reserved already stay as they are.
        options: dict[str, Any] = {"key": key, "headers": _with_code(access_code), "repeatable": True}
        return await self._post(f"{_SEATS}/reserve", Reserved, body, **options)

    async def reserve_best(
        self,
        screening_id: int,
        quantity: int,
        *,
        seat_types: Sequence[str] | None = None,
        max_price: float | None = None,
        accessible: bool | None = None,
        zone: str | None = None,
        allow_split: bool | None = None,
        access_code: str | None = None,
        key: str | None = None,
    ) -> Reserved:
        """Reserve the best seats that are free for a party, next to each other.

        Args:
            screening_id: the screening.
            quantity: number of seats.
            seat_types: only these types; by default all but wheelchair places.
            max_price: highest price of a seat.
            accessible: whether one of them is a wheelchair place.
            zone: name of a section of the room.
            allow_split: whether two groups in neighbouring rows will do.
            access_code, key: see the class.

        Raises:
            NoAdjacentSeats: no such party fits; `largest` would.
            ZoneNotFound: the room has other sections.
            Conflict: as for `reserve`.
        """
        wishes = given(
            seat_types=None if seat_types is None else list(seat_types),
            max_price=max_price,
            accessible=accessible,
            zone=zone,
            allow_split=allow_split,
        )
        body = {"screening_id": screening_id, "quantity": quantity, **wishes}
        path = f"{_SEATS}/best-available"
        return await self._post(path, Reserved, body, key=key, headers=_with_code(access_code))

    async def toggle(
        self,
        screening_id: int,
        seat_ids: Sequence[int],
        *,
        access_code: str | None = None,
        key: str | None = None,
    ) -> Toggled:
        """Reserve those of the seats that are free, and release those that are the caller's; all or none.

        Raises:
            Conflict: as for `reserve`.
        """
        body = {"screening_id": screening_id, "seat_ids": list(seat_ids)}
        return await self._post(f"{_SEATS}/toggle", Toggled, body, key=key, headers=_with_code(access_code))

    async def extend(
        self,
        screening_id: int,
        seat_ids: Sequence[int],
        *,
        minutes: int | None = None,
        key: str | None = None,
    ) -> Reserved:
        """Keep reserved seats for some more minutes, by default five.

        Raises:
            NotHeld: they are not the caller's, or not any more.
            ExtensionLimitReached: they were extended too often, or for too long.
        """
        body = {"screening_id": screening_id, "seat_ids": list(seat_ids)}
        params = {"additional_minutes": minutes}
        return await self._post(f"{_SEATS}/extend", Reserved, body, key=key, params=params)

    async def release(self, screening_id: int, seat_ids: Sequence[int] | None = None) -> None:
        """Give reserved seats back, by default all of the screening."""
        params = {"seat_ids": None if seat_ids is None else ",".join(map(str, seat_ids))}
        path = f"{_SEATS}/cancel/{screening_id}"
        await self.request("DELETE", path, type(None), params=params, repeatable=True)

    def my_reservations(self, *, include_expired: bool = False) -> AsyncIterator[Reservation]:
        """Iterate over the caller's reservations of seats."""
        params = given(include_expired=include_expired or None)
        return self._pages(f"{_SEATS}/my-reservations", Reservation, **params)

    # Waiting

    async def join_waitlist(
        self, screening_id: int, quantity: int, *, together: bool = False, key: str | None = None
    ) -> WaitlistEntry:
        """Wait for seats that others give back. They are offered as a reservation; `watch_seats` tells.

        Args:
            screening_id: the screening.
            quantity: number of seats.
            together: whether only adjacent seats will do.
            key: see the class.

        Raises:
            StillAvailable: enough seats are free.
            AlreadyWaiting: the caller is in this line.
        """
        body = {"screening_id": screening_id, "quantity": quantity, "together": together}
        return await self._post(_WAITLIST, WaitlistEntry, body, key=key)

    async def join_ticket_waitlist(
        self, ticket_type_id: str, quantity: int, *, session: str | None = None, key: str | None = None
    ) -> WaitlistEntry:
        """Wait for tickets of an event that others give back. Guests without a token give their `session`."""
        body = given(ticketTypeId=ticket_type_id, quantity=quantity, sessionId=session)
        return await self._post(_WAITLIST, WaitlistEntry, body, key=key)

    async def notify_when_free(self, screening_id: int, seat_id: int, *, mail: bool = False) -> WaitlistEntry:
        """Ask to be told once, by `watch_seats` and by mail if wanted, when somebody else's seat is free."""
        body: dict[str, Any] = {"screening_id": screening_id, "seat_id": seat_id, "mail": mail}
        return await self._post(f"{_SEATS}/notify-when-free", WaitlistEntry, body)

    def my_waitlist(self, *, session: str | None = None) -> AsyncIterator[WaitlistEntry]:
        """Iterate over what the caller waits for."""
        return self._pages(f"{_WAITLIST}/me", WaitlistEntry, **given(sessionId=session))

    async def leave_waitlist(self, entry_id: int, *, session: str | None = None) -> None:
        """Wait no longer."""
        params = given(sessionId=session)
        await self.request("DELETE", f"{_WAITLIST}/{entry_id}", type(None), params=params)
