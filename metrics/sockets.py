"""The metrics of WebSockets. `SocketMetrics` implements `api.ws.socket.SocketObserver`.

Close codes of clients are their input, so only the usual ones are labels; all others are `other`.
"""

from collections.abc import Callable
from itertools import chain, product
from time import monotonic

from prometheus_client import CollectorRegistry

from metrics.declarations import Declarations

ENDPOINTS = ("screenings", "events", "rooms")

_OF_SERVER = ("1000", "1001", "1002", "1007", "1008", "1009", "1011", "1013", "4410")
_OF_CLIENT = ("1000", "1001", "1005", "other")
_REFUSALS = ("1008", "1013", "4404", "4409", "4429")
_GOING_AWAY = 1001

MASS_WINDOW_SECONDS = 10.0
MASS_SHARE = 0.2
MASS_LEAST = 50
"""Fewest sockets whose ends count as a mass disconnect, because a fifth of few sockets says nothing."""


class MassDisconnects:
    """Detects that `MASS_SHARE` of all sockets ended within `MASS_WINDOW_SECONDS`.

    Windows follow each other; one begins with the first disconnect after the last window.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0
        self._left = 0.0

    def disconnected(self, open_before: int, now: float) -> bool:
        """Count a disconnect. Returns True once in each window in which there were too many.

        Args:
            open_before: number of sockets that were open before it.
            now: in seconds of any clock without steps.
        """
        if now >= self._ends_at:
            self._ends_at = now + MASS_WINDOW_SECONDS
            self._left = max(open_before * MASS_SHARE, MASS_LEAST)
        self._left -= 1
        return -1 < self._left <= 0


class SocketMetrics:
    """Counts sockets, and measures how old updates are when they are sent.

    Args:
        registry: where the metrics are registered.
        now: a clock without steps, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._mass = MassDisconnects()
        declared = Declarations()
        self._open = declared.up_and_down(
            "frontrow_sockets_open", "Open WebSockets, by endpoint.", endpoint=ENDPOINTS
        )
        self._closes = declared.counter(
            "frontrow_socket_closes_total",
            "WebSockets that ended, by endpoint, close code and who ended them.",
            endpoint=(),
            code=(),
            by=(),
        )
        ways = chain(product(_OF_SERVER, ["server"]), product(_OF_CLIENT, ["client"]), [("1006", "network")])
        for endpoint, (code, by) in product(ENDPOINTS, ways):
            self._closes[endpoint, code, by] = 0.0
        self._refusals = declared.counter(
            "frontrow_socket_refusals_total",
            "WebSockets that were not admitted, by endpoint and close code.",
            endpoint=ENDPOINTS,
            code=_REFUSALS,
        )
        self._mass_disconnects = declared.counter(
            "frontrow_mass_disconnects_total",
            "Times that a fifth of all WebSockets, and at least 50, ended within 10 seconds.",
        )
        self._slow = declared.counter(
            "frontrow_slow_clients_dropped_total",
            "WebSockets closed because the client did not read, by endpoint.",
            endpoint=ENDPOINTS,
        )
        self._frames = declared.counter(
            "frontrow_socket_frames_sent_total", "Frames queued for WebSockets, counted once per socket."
        )
        self._update_age = declared.histogram(
            "frontrow_socket_update_age_seconds",
            "Time from a decision until all WebSockets that watch have been sent it.",
        ).children[()]
        declared.register(registry)

    def socket_opened(self, endpoint: str) -> None:
        """A WebSocket was admitted."""
        self._open[(endpoint,)] += 1

    def socket_closed(self, endpoint: str, code: int, by: str) -> None:
        """An admitted WebSocket ended; `by` is "server", "client" or "network"."""
        known = (endpoint, str(code), by)
        self._closes[known if known in self._closes else (endpoint, "other", by)] += 1
        if (code, by) != (_GOING_AWAY, "server"):
            open_before = int(sum(self._open.values()))
            self._mass_disconnects[()] += self._mass.disconnected(open_before, self._now())
        self._open[(endpoint,)] -= 1

    def socket_refused(self, endpoint: str, code: int) -> None:
        """A WebSocket was closed instead of being admitted."""
        self._refusals[endpoint, str(code)] += 1

    def slow_client_dropped(self, endpoint: str) -> None:
        """A WebSocket was closed because its client did not read."""
        self._slow[(endpoint,)] += 1

    def frames_sent(self, count: int) -> None:
        """Frames were queued for sending, counted once per socket."""
        self._frames[()] += count

    def update_sent(self, age_seconds: float) -> None:
        """An update was sent to all who watch; its oldest change was decided `age_seconds` ago.

        The clocks of two nodes may differ, so the age may be negative; it counts as 0.
        """
        self._update_age.observe(max(0.0, age_seconds))
