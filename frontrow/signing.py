"""Which keys sign tokens and tickets and seal personal data: the operator's, or in development made and kept.

One key of each kind signs and seals. Old keys that the operator names still verify, and still open what they
sealed.

Every command of `frontrow` must come to the same key, also when two of them start at once on a new data
directory; hence the secret appears in one step, complete, and whoever comes second takes what is there.
"""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.identity.tokens import Identity, Tokens, never_revoked
from api.papers.seal import KEY_BYTES, Seal
from api.papers.ticket_codes import TicketCodes
from frontrow.settings import Settings

KEY_FILE = "jwt-secret"
SEAL_KEY_FILE = "personal-data-key"
_SECRET_BYTES = 48


def tokens_of(settings: Settings, is_revoked: Callable[[Identity], bool] = never_revoked) -> Tokens:
    """What issues and verifies tokens under these settings.

    Args:
        settings: if they name no key, which is refused in production, one is kept in their data directory.
        is_revoked: asked about every token.

    Raises:
        OSError: development's secret can't be read or written.
        UnusableKey: the stored secret of development mode is damaged.
    """
    return Tokens(
        settings.jwt_public_key or settings.jwt_secret or _kept_secret(settings.data_dir),
        old_keys=settings.jwt_old_secrets,
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer or None,
        audience=settings.jwt_audience or None,
        max_life_seconds=settings.token_max_life_seconds,
        is_revoked=is_revoked,
    )


def ticket_codes_of(settings: Settings) -> TicketCodes:
    """What signs the codes of tickets under these settings: by a key of its own, derived from the secret.

    Args:
        settings: where tokens are verified by a public key, the secret is that of their data directory.

    Raises:
        OSError: development's secret can't be read or written.
    """
    secrets = (settings.jwt_secret or _kept_secret(settings.data_dir), *settings.jwt_old_secrets)
    seed, *old_seeds = [_derived(secret, b"frontrow ticket codes 1", 32) for secret in secrets]
    return TicketCodes(seed, old_seeds)


def seal_of(settings: Settings) -> Seal:
    """What seals personal data under these settings.

    Args:
        settings: if they name no key, which is refused in production, one is kept in their data directory.

    Raises:
        OSError: development's key can't be read or written.
    """
    secret = settings.personal_data_key or _kept_secret(settings.data_dir, SEAL_KEY_FILE)
    secrets = (secret, *settings.personal_data_old_keys)
    key, *old_keys = [_derived(secret, b"frontrow personal data 1", KEY_BYTES) for secret in secrets]
    return Seal(key, old_keys)


class Secrets(NamedTuple):
    """The secrets that are needed, besides the database, to verify and read tickets.

    Attributes:
        jwt_secret: signs tokens, and, by a key derived from it, QR codes.
        personal_data_key: what the key of personal data is derived from.
    """

    jwt_secret: str
    jwt_old_secrets: tuple[str, ...]
    personal_data_key: str
    personal_data_old_keys: tuple[str, ...]


KEPT = {"jwt_secret": KEY_FILE, "personal_data_key": SEAL_KEY_FILE}
"""Files in the data directory that are used where the setting is empty."""


def secrets_of(settings: Settings) -> Secrets:
    """The secrets that are in force under these settings.

    Raises:
        OSError: development's secrets can't be read or written.
    """
    return Secrets(
        settings.jwt_secret or _kept_secret(settings.data_dir),
        settings.jwt_old_secrets,
        settings.personal_data_key or _kept_secret(settings.data_dir, SEAL_KEY_FILE),
        settings.personal_data_old_keys,
    )


def keep_secret(data_dir: Path, name: str, secret: str) -> None:
    """Write a secret into a data directory, unless there is one of this name.

    Raises:
        FileExistsError: there is one.
        OSError: it can't be written.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    # A temporary file is created for its owner alone; a link to it fails if the name is taken.
    with tempfile.NamedTemporaryFile("w", dir=data_dir, prefix=name) as draft:
        draft.write(secret)
        draft.flush()
        os.fsync(draft.fileno())
        os.link(draft.name, data_dir / name)


def _derived(secret: str, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length=length, salt=None, info=purpose).derive(secret.encode())


def _kept_secret(data_dir: Path, name: str = KEY_FILE) -> str:
    kept = data_dir / name
    if not kept.exists():
        with suppress(FileExistsError):
            keep_secret(data_dir, name, secrets.token_urlsafe(_SECRET_BYTES))
    return kept.read_text()
