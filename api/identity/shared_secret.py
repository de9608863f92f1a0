"""Authentication of the operator's own programs by a secret from the settings, sent as a Bearer token."""

import hmac

from api.identity.errors import NotAuthenticated, TokenRefused


def require_secret(given: str | None, secret: str) -> None:
    """Compare a Bearer token with the secret, in constant time.

    Args:
        given: the Bearer token of the request, if it has one.
        secret: from the settings; not empty.

    Raises:
        NotAuthenticated: there is no token.
        TokenRefused: it is not the secret.
    """
    if given is None:
        raise NotAuthenticated
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise TokenRefused("The secret is not the right one", "token_invalid")
