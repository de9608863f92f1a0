"""Counts and claims of a server by key: attempts, open sockets, client ids, requests in flight.

A single server counts alone (`OwnCounts`). In a cluster all nodes count together
(`frontrow.shared_counts`): each one keeps a share of the keys in the same objects.
"""

from dataclasses import dataclass
from time import monotonic

from api.identity.login_attempts import AccountLimits, LoginAttempts, LoginLimit
from api.limiter import AttemptLimit, Limiter
from api.limits import Limits, SocketLimits
from api.rest.idempotency import KeysInFlight
from api.rooms.client_ids import ClientIds, UsedIds
from api.services import RequestsInFlight
from api.ws.open_sockets import HolderLimit, SocketsOfHolders
from frontrow.settings import Settings

_MAILS_PER_ACCOUNT = 3
_HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts, as the parts of a server use them.

    Attributes:
        logins: password attempts, per account.
        account_requests: log-ins, registrations and password resets, per network.
        reset_mails: password reset mails, per account.
        access_codes: wrong access codes, per network.
        selections: seats that guests select in rooms, per network.
        free_rooms: free rooms created, per network.
        sockets: open sockets, per user or guests' network.
        client_ids: the client ids in use in rooms.
        requests_in_flight: requests with an idempotency key.
    """

    logins: LoginLimit
    account_requests: AttemptLimit
    reset_mails: AttemptLimit
    access_codes: AttemptLimit
    selections: AttemptLimit
    free_rooms: AttemptLimit
    sockets: HolderLimit
    client_ids: UsedIds
    requests_in_flight: RequestsInFlight

    @property
    def account_limits(self) -> AccountLimits:
        """The counts that accounts need."""
        return AccountLimits(self.logins, self.account_requests, self.reset_mails)


class OwnCounts(Counts):
    """The counts of this server alone."""

    __slots__ = ()

    logins: LoginAttempts
    account_requests: Limiter
    reset_mails: Limiter
    access_codes: Limiter
    selections: Limiter
    free_rooms: Limiter
    sockets: SocketsOfHolders
    client_ids: ClientIds
    requests_in_flight: KeysInFlight


def own_counts(settings: Settings) -> OwnCounts:
    """Return counts with the limits of the settings."""
    # Monotonic, so that a step of the wall clock does not lengthen or shorten a window.
    now, window_seconds = monotonic, settings.attempts_window_seconds
    return OwnCounts(
        logins=LoginAttempts(
            settings.attempts_per_account, settings.attempts_per_account_anywhere, window_seconds, now
        ),
        account_requests=Limiter(settings.attempts_per_address, window_seconds, now),
        reset_mails=Limiter(_MAILS_PER_ACCOUNT, window_seconds, now),
        access_codes=Limiter(settings.attempts_per_address, window_seconds, now),
        selections=Limiter(settings.guest_selections_limit, settings.hold_seconds, now),
        free_rooms=Limiter(settings.free_rooms_per_address, _HOUR_SECONDS, now),
        sockets=SocketsOfHolders(settings.group(SocketLimits)),
        client_ids=ClientIds(now, settings.hold_seconds),
        requests_in_flight=KeysInFlight(settings.group(Limits).keys_in_flight),
    )
