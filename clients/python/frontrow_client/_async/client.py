"""The asynchronous client with everything that it can do."""

from collections.abc import Iterable

from frontrow_client._async.accounts import AsyncAccounts
from frontrow_client._async.catalogue import AsyncAdministration, AsyncCatalogue
from frontrow_client._async.door import AsyncDoor
from frontrow_client._async.events import AsyncEvents
from frontrow_client._async.rooms import AsyncRooms
from frontrow_client._async.seats import AsyncSeats
from frontrow_client._async.tickets import AsyncTickets
from frontrow_client._async.watching import AsyncEventWatch, AsyncSeatWatch


class AsyncFrontrow(
    AsyncAccounts, AsyncCatalogue, AsyncSeats, AsyncTickets, AsyncEvents, AsyncDoor, AsyncAdministration
):
    """A client of a Frontrow server. `docs/python-client.md` shows how to use it."""

    def watch_seats(self, screening_id: int, *, give_up_seconds: float | None = None) -> AsyncSeatWatch:
        """Watch the seats of a screening.

        Args:
            screening_id: the screening.
            give_up_seconds: how long to try to reconnect; by default for ever.
        """
        return AsyncSeatWatch(self, screening_id, give_up_seconds)

    def watch_events(
        self,
        event_ids: Iterable[int | str] = (),
        *,
        session: str | None = None,
        give_up_seconds: float | None = None,
    ) -> AsyncEventWatch:
        """Watch how many seats or tickets are left of events and screenings; see also `subscribe`.

        Args:
            event_ids: what to watch at first.
            session: session of a guest, who is told of reservations that expire.
            give_up_seconds: how long to try to reconnect; by default for ever.

        Raises:
            ValueError: these are too many.
        """
        return AsyncEventWatch(self, event_ids, session, give_up_seconds)

    def rooms_socket(self, client_id: str, *, give_up_seconds: float | None = None) -> AsyncRooms:
        """Select seats in rooms and see what others select.

        Args:
            client_id: names this client; a guest finds its selections again by it.
            give_up_seconds: how long to try to reconnect; by default for ever.
        """
        return AsyncRooms(self, client_id, give_up_seconds)
