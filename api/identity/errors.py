"""Why a caller is not believed, or not allowed.

ApiError
├── NotAuthenticated 401, TokenRefused 401, AdminRequired 403, CronDisabled 403
├── WrongCredentials 401, RefreshRefused 401, WrongPassword 403, ResetRefused 400, LoginElsewhere 403
└── OriginRefused 403, HostRefused 421
"""

from api.errors import ApiError


class NotAuthenticated(ApiError):
    """There is no token (RFC 6750, section 3)."""

    status, code = 401, "not_authenticated"

    def __init__(self) -> None:
        super().__init__("Not authenticated", {"WWW-Authenticate": "Bearer"})


class TokenRefused(ApiError):
    """There is a token, and it must not be believed (RFC 6750, section 3.1).

    Args:
        reason: why not.
        code: `token_expired`, `token_revoked` or `token_invalid`.
    """

    status, code = 401, "token_invalid"

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(f"Invalid token: {reason}", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        self.code = code


class AdminRequired(ApiError):
    """The token is good, but not an administrator's."""

    status, code = 403, "admin_required"

    def __init__(self) -> None:
        super().__init__("Administrator rights are required")


class CronDisabled(ApiError):
    """No secret has been set for callers that a clock sends."""

    status, code = 403, "cron_disabled"

    def __init__(self) -> None:
        super().__init__("This is switched off: FRONTROW_CRON_SECRET is not set")


class WrongCredentials(ApiError):
    """No account has this address and this password; which of them is wrong is not told."""

    status, code = 401, "invalid_credentials"

    def __init__(self) -> None:
        super().__init__("Incorrect email or password", {"WWW-Authenticate": "Bearer"})


class RefreshRefused(ApiError):
    """The refresh token is unknown, used, expired, revoked, or somebody else's."""

    status, code = 401, "refresh_token_invalid"

    def __init__(self) -> None:
        super().__init__("Invalid refresh token", {"WWW-Authenticate": "Bearer"})


class WrongPassword(ApiError):
    """The caller's own password is needed, and this is not it."""

    status, code = 403, "wrong_password"

    def __init__(self) -> None:
        super().__init__("The current password is not correct")


class ResetRefused(ApiError):
    """The token from a mail is unknown, used or expired."""

    status, code = 400, "reset_token_invalid"

    def __init__(self) -> None:
        super().__init__("This link has been used or has expired; ask for another one")


class LoginElsewhere(ApiError):
    """This server believes the tokens of another service and cannot issue any."""

    status, code = 403, "login_elsewhere"

    def __init__(self) -> None:
        super().__init__("Tokens are issued by another service")


class OriginRefused(ApiError):
    """The page that sent the request belongs to a site that is not on the allow-list."""

    status, code = 403, "origin_not_allowed"

    def __init__(self) -> None:
        super().__init__("This origin is not allowed")


class HostRefused(ApiError):
    """The Host field is not one of this server's names (RFC 9110, section 15.5.20).

    Args:
        host: the name.
    """

    status, code = 421, "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This server does not answer to {host}; if it should, its operator has to add that name to "
            "FRONTROW_HOSTS"
        )
