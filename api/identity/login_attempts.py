"""Limits password guessing without letting strangers lock the owner out.

There are two limits on the wrong passwords for an account. The first, low limit counts per IP address. The
second, higher limit counts all addresses together, but only applies to addresses from which the account has
not been used, so strangers never block the owner at a familiar address. An attacker with one address locks
out only that address; an attacker with many can block the owner only at a new address, for one window.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from api.errors import TooManyAttempts
from api.limiter import AttemptLimit, Limiter, network_of

KNOWN_ADDRESSES_LIMIT = 100_000
"""Most pairs of account and address to remember; the least recently used is evicted."""


class LoginLimit(Protocol):
    """Limits password attempts, as `LoginAttempts` does; in a cluster another node may count them.

    An awaitable result has to be awaited: it returns or raises what is documented at `LoginAttempts`, or
    raises `Unavailable` if the node that counts cannot be reached.
    """

    def attempt(self, account: str, address: str) -> Awaitable[None] | None:
        """Count an attempt. Raises TooManyAttempts."""

    def succeeded(self, account: str, address: str) -> Awaitable[None] | None:
        """Uncount the last attempt, because its password was correct."""

    def trust(self, account: str, address: str) -> Awaitable[None] | None:
        """Remember that the account's owner uses this address."""

    def retract(self, account: str, address: str) -> Awaitable[None] | None:
        """Uncount the last attempt, because its password was not looked at."""


class AccountLimits(NamedTuple):
    """The limits on attempts that are expensive or may reveal something.

    Attributes:
        logins: of password attempts.
        requests: per network, of log-ins, registrations and password resets.
        mails: per account, of password reset mails.
    """

    logins: LoginLimit
    requests: AttemptLimit
    mails: AttemptLimit


class LoginAttempts:
    """Counts password attempts.

    Args:
        per_account_and_address: wrong passwords per account and address within a window.
        per_account: wrong passwords per account within a window, from all unfamiliar addresses.
        window_seconds: length of the window.
        now: returns the time in seconds; monotonic.
    """

    def __init__(
        self, per_account_and_address: int, per_account: int, window_seconds: float, now: Callable[[], float]
    ) -> None:
        self._of_pair = Limiter(per_account_and_address, window_seconds, now)
        self._of_account = Limiter(per_account, window_seconds, now)
        self._known: OrderedDict[str, None] = OrderedDict()

    def attempt(self, account: str, address: str) -> None:
        """Count an attempt. Call this before checking the password.

        Args:
            account: e-mail address of the account.
            address: IP address of the client.

        Raises:
            TooManyAttempts: a limit is reached; do not check the password.
        """
        pair = _pair(account, address)
        self._of_pair.attempt(pair)
        if pair not in self._known:
            try:
                self._of_account.attempt(account)
            except TooManyAttempts:
                self._of_pair.retract(pair)
                raise

    def retract(self, account: str, address: str) -> None:
        """Uncount the last attempt, because its password was not looked at."""
        pair = _pair(account, address)
        self._of_pair.retract(pair)
        if pair not in self._known:
            self._of_account.retract(account)

    def succeeded(self, account: str, address: str) -> None:
        """Uncount the last attempt, because its password was correct."""
        pair = _pair(account, address)
        self._of_pair.forgive(pair)
        if pair not in self._known:
            self._of_account.retract(account)
        self.trust(account, address)

    def trust(self, account: str, address: str) -> None:
        """Remember that the account's owner uses this address."""
        pair = _pair(account, address)
        self._of_pair.forgive(pair)
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > KNOWN_ADDRESSES_LIMIT:
            self._known.popitem(last=False)


def _pair(account: str, address: str) -> str:
    return f"{network_of(address)} {account}"
