"""Settings for tokens, passwords, and limits on guessing."""

from dataclasses import dataclass, field
from typing import Annotated

from api.identity.tokens import ALGORITHMS
from frontrow.settings.rules import (
    ANY_TEXT,
    DAY_SECONDS,
    HOUR_SECONDS,
    KIB,
    MIB,
    OLD_SECRETS,
    one_of,
    seconds,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """Tokens"""

    jwt_algorithm: Annotated[str, one_of(*ALGORITHMS), "The only algorithm accepted for tokens."] = "HS256"
    jwt_secret: Annotated[
        str, ANY_TEXT, "For HS256: the secret that signs and verifies tokens, 32 bytes or more."
    ] = field(default="", repr=False)
    jwt_old_secrets: Annotated[
        tuple[str, ...],
        OLD_SECRETS,
        "Earlier values of FRONTROW_JWT_SECRET: tokens and the QR codes of tickets signed with them stay "
        "valid.",
    ] = field(default=(), repr=False)
    jwt_public_key: Annotated[
        str, ANY_TEXT, "For RS256 and EdDSA: the public key that verifies another service's tokens, in PEM."
    ] = ""
    jwt_issuer: Annotated[str, ANY_TEXT, "The required `iss` of tokens. Empty: it is not checked."] = ""
    jwt_audience: Annotated[
        str, ANY_TEXT, "What `aud` must be or contain. Empty: tokens must not name an audience."
    ] = ""
    token_ttl_seconds: Annotated[
        int, whole(1, 365 * DAY_SECONDS, "seconds"), "Lifetime of the access tokens issued here."
    ] = HOUR_SECONDS
    token_max_life_seconds: Annotated[
        int,
        whole(1, 365 * DAY_SECONDS, "seconds"),
        "Tokens with a longer lifetime are rejected, also those of other services.",
    ] = 30 * DAY_SECONDS
    refresh_token_ttl_seconds: Annotated[
        int,
        whole(60, 365 * DAY_SECONDS, "seconds"),
        "Lifetime of a refresh token; each use returns a new one.",
    ] = 30 * DAY_SECONDS
    revocation_refresh_seconds: Annotated[
        float,
        seconds(0.05, 300),
        "How often revocations are read from the database: other nodes of a cluster tell each other at once, "
        "but a message may be lost. Tokens revoked here are rejected immediately.",
    ] = 0.8


@dataclass(frozen=True, kw_only=True)
class PasswordSettings:
    """Passwords"""

    password_memory_kib: Annotated[
        int, whole(64, MIB, "KiB"), "Memory used to hash one password (Argon2id)."
    ] = 64 * KIB
    password_passes: Annotated[int, whole(1, 100, "passes"), "Passes over that memory."] = 3
    password_reset_seconds: Annotated[
        float, seconds(1, DAY_SECONDS), "How long the link in a password reset mail works."
    ] = 1800.0
    attempts_per_account: Annotated[
        int,
        whole(1, 1_000_000, "attempts"),
        "Wrong passwords for one account from one address per window; over the limit the response is 429.",
    ] = 10
    attempts_per_account_anywhere: Annotated[
        int,
        whole(1, 1_000_000, "attempts"),
        "Wrong passwords for one account per window, from all addresses that its owner has never logged in "
        "from.",
    ] = 200
    attempts_per_address: Annotated[
        int,
        whole(1, 1_000_000, "attempts"),
        "Registrations, requested mails and wrong passwords from one address per window.",
    ] = 100
    attempts_window_seconds: Annotated[
        float, seconds(1, DAY_SECONDS), "The window in which attempts are counted."
    ] = 900.0
