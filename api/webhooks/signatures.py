"""Signs webhooks as Standard Webhooks says (https://www.standardwebhooks.com), with its library."""

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET_CONTEXT = b"webhook secret"
"""Binds the encrypted secrets of webhooks to their purpose."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a random secret, as receivers need it to verify signatures."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(message_id: str, body: str, keys: Iterable[str], now: float) -> dict[str, str]:
    """Return the headers that identify and sign a message.

    Args:
        message_id: the same in every attempt.
        body: of the request.
        keys: the secrets, each of which signs.
        now: the time of this attempt, in seconds since the Unix epoch.
    """
    at = datetime.fromtimestamp(int(now), UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(Webhook(key).sign(message_id, at, body) for key in keys),
    }
