"""Limits how often a password may be guessed, without letting strangers lock the owner out.

There are two limits. One address has few attempts at an account. All addresses together have many, but this
second limit applies only to addresses from which the account has not been used: the owner, at a usual
address, never waits because of others. So a stranger with one address locks out only that address. A stranger
with many can make the owner wait only at a new address, and for one window at most.
"""

from collections import OrderedDict
from collections.abc import Callable

from api.errors import TooManyAttempts
from api.throttle import Throttle, network_of

KNOWN_ADDRESSES_LIMIT = 100_000
"""Pairs of account and address that are remembered; the one used least recently is forgotten first."""


class LoginAttempts:
    """Counts the passwords that are tried.

    Args:
        per_account_and_address: wrong passwords for an account from one address, in a window.
        per_account: wrong passwords for an account from all addresses that it has not been used from.
        window_seconds: length of the window.
        now: the time.
    """

    def __init__(
        self, per_account_and_address: int, per_account: int, window_seconds: float, now: Callable[[], float]
    ) -> None:
        self._of_pair = Throttle(per_account_and_address, window_seconds, now)
        self._of_account = Throttle(per_account, window_seconds, now)
        self._known: OrderedDict[str, None] = OrderedDict()

    def attempt(self, account: str, address: str) -> None:
        """Count an attempt, before it is made.

        Args:
            account: its e-mail address.
            address: where the attempt comes from.

        Raises:
            TooManyAttempts: it must not be made.
        """
        pair = _pair(account, address)
        self._of_pair.attempt(pair)
        if pair not in self._known:
            try:
                self._of_account.attempt(account)
            except TooManyAttempts:
                self._of_pair.retract(pair)
                raise

    def succeeded(self, account: str, address: str) -> None:
        """Take back the last counted attempt, since its password was right."""
        pair = _pair(account, address)
        self._of_pair.forgive(pair)
        if pair not in self._known:
            self._of_account.retract(account)
        self.trust(account, address)

    def trust(self, account: str, address: str) -> None:
        """Remember that the owner of the account uses it from this address."""
        pair = _pair(account, address)
        self._of_pair.forgive(pair)
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > KNOWN_ADDRESSES_LIMIT:
            self._known.popitem(last=False)


def _pair(account: str, address: str) -> str:
    return f"{network_of(address)} {account}"
