"""The tokens of a client: which one is sent, and when it has to be renewed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

RENEWED_BEFORE_SECONDS = 60.0
"""Time before its expiry at which a token is renewed; half of its life if that is shorter."""


@dataclass
class TokenKeeper:
    """The credentials of a client's caller.

    Attributes:
        access: the token that is sent; None for nobody.
        refresh: renews it once.
        password: e-mail address and password, to log in again when the refresh token has ended.
        is_guest: whether the token is a guest's, which renews itself.
    """

    access: str | None = None
    refresh: str | None = None
    password: tuple[str, str] | None = None
    is_guest: bool = False
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _renew_at: float | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(logged in: {self.access is not None})"

    def received(
        self, access: str, expires_in_seconds: float, *, refresh: str | None = None, is_guest: bool = False
    ) -> None:
        """Send this token from now on.

        Args:
            access: the token.
            expires_in_seconds: its life.
            refresh: the token that renews it.
            is_guest: whether it is a guest's.
        """
        self.access, self.refresh, self.is_guest = access, refresh, is_guest
        early_seconds = min(RENEWED_BEFORE_SECONDS, expires_in_seconds / 2)
        self._renew_at = self.clock() + expires_in_seconds - early_seconds

    def forget(self) -> None:
        """Send no token, and remember no password."""
        self.access = self.refresh = self.password = self._renew_at = None
        self.is_guest = False

    @property
    def is_renewable(self) -> bool:
        """True if there is a way to get another token."""
        return self.is_guest or self.refresh is not None or self.password is not None

    @property
    def is_due(self) -> bool:
        """True if the token expires soon and can be renewed."""
        return self.is_renewable and self._renew_at is not None and self.clock() >= self._renew_at
