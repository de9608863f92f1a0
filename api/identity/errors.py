"""Errors of authentication and authorization, with their HTTP statuses.

ApiError
├── NotAuthenticated 401, TokenRefused 401, AdminRequired 403, AccountRequired 403, CronDisabled 403
├── ServiceNotAllowed 403, ServiceRequired 403, AccessCodeRefused 403
├── WrongCredentials 401, RefreshRefused 401, WrongPassword 403, ResetRefused 400, LoginElsewhere 403
└── OriginRefused 403, HostRefused 421
"""

from collections.abc import Mapping

from api.errors import ApiError

_BEARER: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class NotAuthenticated(ApiError):
    """The request has no token (RFC 6750, section 3)."""

    status, code = 401, "not_authenticated"
    detail = "Not authenticated"
    headers = _BEARER


class TokenRefused(ApiError):
    """The request's token is invalid, expired or revoked (RFC 6750, section 3.1).

    Args:
        reason: what is wrong with it.
        code: `token_expired`, `token_revoked` or `token_invalid`.
    """

    status, code = 401, "token_invalid"

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(f"Invalid token: {reason}", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        self.code = code


class AdminRequired(ApiError):
    """The token is valid but not an administrator's.

    Args:
        scope: of services whose tokens would be accepted too; empty for none.
    """

    status, code = 403, "admin_required"
    detail = "Administrator rights are required"

    def __init__(self, scope: str = "") -> None:
        super().__init__(scope and f"{self.detail}, or a service's token with the scope {scope}")


class ServiceNotAllowed(ApiError):
    """The token is a service's, and the operation is for users."""

    status, code = 403, "service_not_allowed"
    detail = "A service's token cannot be used here; its scope is for other operations"


class ServiceRequired(ApiError):
    """A user's token names another user."""

    status, code = 403, "service_required"
    detail = "Only a service can act for another user; leave user_id out"


class AccessCodeRefused(ApiError):
    """No channel has the request's access code."""

    status, code = 403, "access_code_refused"
    detail = "This access code is not known; check its spelling, or leave it out"


class AccountRequired(ApiError):
    """The token is a guest's, and the server sells only to users with an account."""

    status, code = 403, "account_required"
    detail = "Log in or register to buy; guests cannot buy here"


class CronDisabled(ApiError):
    """The endpoint is for cron jobs, and no secret is set for them."""

    status, code = 403, "cron_disabled"
    detail = "This endpoint is disabled; set FRONTROW_CRON_SECRET to enable it"


class WrongCredentials(ApiError):
    """No account has this e-mail address and password. The client does not learn which of them is wrong."""

    status, code = 401, "invalid_credentials"
    detail = "Incorrect email or password"
    headers = _BEARER


class RefreshRefused(ApiError):
    """The refresh token is unknown, used, expired, revoked or another user's."""

    status, code = 401, "refresh_token_invalid"
    detail = "Invalid refresh token"
    headers = _BEARER


class WrongPassword(ApiError):
    """The operation requires the caller's current password, and the given one is wrong."""

    status, code = 403, "wrong_password"
    detail = "The current password is not correct"


class ResetRefused(ApiError):
    """The token from a reset mail is unknown, used or expired."""

    status, code = 400, "reset_token_invalid"
    detail = "This link has been used or has expired; request a new one"


class LoginElsewhere(ApiError):
    """Another service issues the tokens; this server can only verify them."""

    status, code = 403, "login_elsewhere"
    detail = "Tokens are issued by another service; log in there"


class OriginRefused(ApiError):
    """The request comes from a page whose origin is not on the allow-list."""

    status, code = 403, "origin_not_allowed"
    detail = "This origin is not allowed"


class HostRefused(ApiError):
    """The Host field is not one of this server's names (RFC 9110, section 15.5.20).

    Args:
        host: the name in the `Host` header.
    """

    status, code = 421, "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This server does not serve the host {host}; to allow it, add the name to FRONTROW_HOSTS"
        )
