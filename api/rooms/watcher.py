"""Keeps the updates of a room in order with the responses to the client's own requests.

A response is sent as soon as the engine has decided; an update is gathered first and, in a cluster, comes
from another server. So earlier changes may arrive after the response to a later one. If they are about the
same seat, the client must not be sent them any more: the last message about a seat must be its current state.
"""

from api.ws.feed import Position, Update, Watcher


class RoomWatcher(Watcher):
    """A client in a room. Arguments as for `Watcher`."""

    __slots__ = ("_answered", "_early")

    def pause(self) -> None:
        """Stop receiving updates, until `buffer` is called again."""
        super().pause()
        self._answered = Position(0, 0)
        self._early: list[Update] = []

    def answered(self, position: Position) -> None:
        """Take note that the client is told about its own change, with this position."""
        self._answered = max(self._answered, position)

    def take(self, update: Update) -> int:
        """Send an update, together with earlier ones as soon as it includes the client's own last change.

        The encoder leaves out what is earlier than the client's own changes (`api.rooms.updates`).
        """
        if update.position < self._answered:
            self._early.append(update)
            return 0
        if self._early:
            early, self._early = self._early, []
            update = Update.joined([*early, update])
        return super().take(update)
