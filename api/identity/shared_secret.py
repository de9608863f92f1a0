"""Authenticates the operator's own programs by a secret from the settings, sent as a Bearer token."""

import hmac

from api.identity.errors import NotAuthenticated, TokenRefused


def require_secret(given: str | None, secret: str) -> None:
    """Compare a Bearer token with the secret, in constant time.

    Args:
        given: the Bearer token of the request, if it has one.
        secret: from the settings; not empty.

    Raises:
        NotAuthenticated: the request has no Bearer token.
        TokenRefused: the token is not the secret.
    """
    if given is None:
        raise NotAuthenticated
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise TokenRefused("the secret is wrong", "token_invalid")
