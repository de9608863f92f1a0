"""The synchronous client with everything that it can do."""

from collections.abc import Iterable

from frontrow_client._sync.accounts import Accounts
from frontrow_client._sync.catalogue import Administration, Catalogue
from frontrow_client._sync.door import Door
from frontrow_client._sync.events import Events
from frontrow_client._sync.rooms import Rooms
from frontrow_client._sync.seats import Seats
from frontrow_client._sync.tickets import Tickets
from frontrow_client._sync.watching import EventWatch, SeatWatch


class Frontrow(Accounts, Catalogue, Seats, Tickets, Events, Door, Administration):
    """A client of a Frontrow server. `docs/python-client.md` shows how to use it."""

    def watch_seats(self, screening_id: int, *, give_up_seconds: float | None = None) -> SeatWatch:
        """Watch the seats of a screening.

        Args:
            screening_id: the screening.
            give_up_seconds: how long to try to reconnect; by default for ever.
        """
        return SeatWatch(self, screening_id, give_up_seconds)

    def watch_events(
        self,
        event_ids: Iterable[int | str] = (),
        *,
        session: str | None = None,
        give_up_seconds: float | None = None,
    ) -> EventWatch:
        """Watch how many seats or tickets are left of events and screenings; see also `subscribe`.

        Args:
            event_ids: what to watch at first.
            session: session of a guest, who is told of reservations that expire.
            give_up_seconds: how long to try to reconnect; by default for ever.

        Raises:
            ValueError: these are too many.
        """
        return EventWatch(self, event_ids, session, give_up_seconds)

    def rooms_socket(self, client_id: str, *, give_up_seconds: float | None = None) -> Rooms:
        """Select seats in rooms and see what others select.

        Args:
            client_id: names this client; a guest finds its selections again by it.
            give_up_seconds: how long to try to reconnect; by default for ever.
        """
        return Rooms(self, client_id, give_up_seconds)
