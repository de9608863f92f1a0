"""Builds the keys that sign tokens and tickets and encrypt personal data.

The secrets come from the settings; in development, missing ones are generated and kept in the data directory.
One key of each kind signs or encrypts; old keys that the operator lists still verify and decrypt.

Every `frontrow` command must use the same secret, even if two of them start at once on a new data directory.
So the file is created complete, in one step, and a second process uses the one it finds.
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
from api.papers.aliases import Aliases
from api.papers.cipher import KEY_BYTES, Cipher
from api.papers.ticket_codes import TicketCodes
from frontrow.settings import Settings

KEY_FILE = "jwt-secret"
PERSONAL_DATA_KEY_FILE = "personal-data-key"
SECRET_FILES = {"jwt_secret": KEY_FILE, "personal_data_key": PERSONAL_DATA_KEY_FILE}
"""Files in the data directory that hold the secrets that no setting gives."""

_SECRET_BYTES = 48
_DIGEST_BYTES = 8


def tokens_of(settings: Settings, is_revoked: Callable[[Identity], bool] = never_revoked) -> Tokens:
    """Return the issuer and verifier of tokens.

    Args:
        settings: without a key, which production rejects, a generated secret from the data directory is used.
        is_revoked: called for every token.

    Raises:
        OSError: the generated secret cannot be read or written.
        UnusableKey: the stored secret is damaged.
    """
    return Tokens(
        settings.jwt_public_key or _secret(settings.jwt_secret, settings.data_dir / KEY_FILE),
        old_keys=settings.jwt_old_secrets,
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer or None,
        audience=settings.jwt_audience or None,
        max_life_seconds=settings.token_max_life_seconds,
        is_revoked=is_revoked,
    )


def ticket_codes_of(settings: Settings) -> TicketCodes:
    """Return the signer of ticket codes, which uses a key derived from the token secret.

    Args:
        settings: if tokens are verified with a public key, the secret in the data directory is used.

    Raises:
        OSError: the generated secret cannot be read or written.
    """
    secrets = (_secret(settings.jwt_secret, settings.data_dir / KEY_FILE), *settings.jwt_old_secrets)
    seed, *old_seeds = [_derived(secret, b"frontrow ticket codes 1", 32) for secret in secrets]
    return TicketCodes(seed, old_seeds)


def cipher_of(settings: Settings) -> Cipher:
    """Return the cipher for personal data.

    Args:
        settings: without a key, which production rejects, a generated one from the data directory is used.

    Raises:
        OSError: the generated key cannot be read or written.
    """
    secret = _secret(settings.personal_data_key, settings.data_dir / PERSONAL_DATA_KEY_FILE)
    secrets = (secret, *settings.personal_data_old_keys)
    key, *old_keys = [_derived(secret, b"frontrow personal data 1", KEY_BYTES) for secret in secrets]
    return Cipher(key, old_keys)


def aliases_of(settings: Settings) -> Aliases:
    """Return the aliases of holders in rooms, which use a key derived from the one for personal data.

    Raises:
        OSError: the generated key cannot be read or written.
    """
    secret = _secret(settings.personal_data_key, settings.data_dir / PERSONAL_DATA_KEY_FILE)
    return Aliases(_derived(secret, b"frontrow room aliases 1", 32))


def access_code_key_of(settings: Settings) -> bytes:
    """Return the key of the hashes of access codes, derived from the key for personal data.

    Raises:
        OSError: the generated key cannot be read or written.
    """
    secret = _secret(settings.personal_data_key, settings.data_dir / PERSONAL_DATA_KEY_FILE)
    return _derived(secret, b"frontrow access codes 1", 32)


class Secrets(NamedTuple):
    """The secrets that are needed, besides the database, to verify and read tickets.

    Attributes:
        jwt_secret: signs tokens; a key derived from it signs QR codes.
        personal_data_key: the key for personal data is derived from it.
    """

    jwt_secret: str
    jwt_old_secrets: tuple[str, ...]
    personal_data_key: str
    personal_data_old_keys: tuple[str, ...]


def secrets_of(settings: Settings) -> Secrets:
    """Return the secrets in use.

    Raises:
        OSError: a generated secret cannot be read or written.
    """
    return Secrets(
        _secret(settings.jwt_secret, settings.data_dir / KEY_FILE),
        settings.jwt_old_secrets,
        _secret(settings.personal_data_key, settings.data_dir / PERSONAL_DATA_KEY_FILE),
        settings.personal_data_old_keys,
    )


def key_digests(settings: Settings) -> dict[str, list[str]]:
    """Return digests of the secrets by setting, the one in use first, to compare them with another server's.

    Raises:
        OSError: a generated secret cannot be read or written.
    """
    in_use = secrets_of(settings)
    accepted = {
        "jwt_secret": (in_use.jwt_secret, *in_use.jwt_old_secrets),
        "personal_data_key": (in_use.personal_data_key, *in_use.personal_data_old_keys),
        "jwt_public_key": (settings.jwt_public_key,),
    }
    return {
        name: [_derived(secret, b"frontrow comparison 1", _DIGEST_BYTES).hex() for secret in secrets]
        for name, secrets in accepted.items()
    }


def store_secret(data_dir: Path, name: str, secret: str) -> None:
    """Write a secret into a data directory, unless a file of that name exists.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be written.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    # A temporary file is only accessible to its owner; linking fails if the name is taken.
    with tempfile.NamedTemporaryFile("w", dir=data_dir, prefix=name) as draft:
        draft.write(secret)
        draft.flush()
        os.fsync(draft.fileno())
        os.link(draft.name, data_dir / name)


def _derived(secret: str, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length=length, salt=None, info=purpose).derive(secret.encode())


def _secret(given: str, kept: Path) -> str:
    if given:
        return given
    if not kept.exists():
        with suppress(FileExistsError):
            store_secret(kept.parent, kept.name, secrets.token_urlsafe(_SECRET_BYTES))
    return kept.read_text()
