"""JSON Web Tokens: the one place that decides whom to believe.

PyJWT checks the signature; its defaults are wider than a public door allows (a token without `exp`,
of two megabytes, or valid for a century passes), so every bound is set here. The rules, from RFC 8725:

* one algorithm, chosen by the operator, never by the token; keys of full length and of the right kind;
* `sub` is a user's id in decimal, one spelling per user; `admin`, if there, is a JSON boolean;
* `exp` is there, is a finite number, and is not further away than the longest life allowed;
* a token's text is bounded before anything parses it.

Tokens that were found good are remembered, since a client sends the same one with every request. What
changes with time, expiry and revocation, is asked anew each time.
"""

import hashlib
import json
import math
import re
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

TOKEN_LIMIT_BYTES = 8192
REMEMBERED_TOKENS = 4096
ALGORITHMS = ("HS256", "RS256", "EdDSA")
LARGEST_USER_ID = 2**63 - 1
# Issuers' clocks may run ahead of ours a little; it excuses an early `iat` or `nbf`, never a late `exp`.
CLOCK_SKEW_SECONDS = 5

Key = bytes | RSAPublicKey | Ed25519PublicKey | Ed448PublicKey

CLAIMED_ID_LIMIT = 255

_DECIMAL_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_STORABLE_ID = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{0,{CLAIMED_ID_LIMIT}}}")


class Identity(NamedTuple):
    """Who a token speaks for.

    Attributes:
        user_id: from 1 to 2^63-1.
        admin: whether the user is an administrator.
        expires_at: when the token ends, in seconds since the epoch.
        token_id: the `jti` claim, or a digest of the claims if the token has none.
        issued_at: when it was issued; 0 if the token does not tell.
        login_id: the `sid` claim, which tokens of one log-in share; empty if the token has none.
    """

    user_id: int
    admin: bool
    expires_at: float
    token_id: str
    issued_at: float
    login_id: str


class InvalidToken(Exception):
    """A token that is not to be believed.

    Attributes:
        code: `token_expired`, `token_revoked`, or `token_invalid` for everything else.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class UnusableKey(Exception):
    """A key that must not verify tokens: too short, of another kind, or private instead of public."""


class NoSigningKey(Exception):
    """Tokens are verified with a public key here, so they can only be issued elsewhere."""


def never_revoked(identity: Identity) -> bool:
    """The answer while nothing revokes tokens."""
    return False


class Tokens:
    """Issues tokens under one key, and verifies those under it or an earlier one.

    Args:
        key: a secret of at least 32 bytes for HS256, a public key in PEM for RS256 and EdDSA.
        old_keys: earlier keys of the same kind, which only verify.
        algorithm: one of `ALGORITHMS`.
        issuer: if given, `iss` must be this.
        audience: if given, `aud` must be or contain this; if not, a token must not name an audience.
        max_life_seconds: how far `exp` may lie after `iat`, or after now if that is missing.
        is_revoked: asked about every token.
        clock: seconds since the epoch.

    Raises:
        UnusableKey: the key does not fit the algorithm.
    """

    def __init__(
        self,
        key: str,
        *,
        old_keys: Sequence[str] = (),
        algorithm: str = "HS256",
        issuer: str | None = None,
        audience: str | None = None,
        max_life_seconds: float = 30 * 86_400,
        is_revoked: Callable[[Identity], bool] = never_revoked,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, *self._old_keys = [usable_key(each, algorithm) for each in (key, *old_keys)]
        self._algorithm = algorithm
        self._issuer = issuer
        self._audience = audience
        self._max_life_seconds = max_life_seconds
        self._is_revoked = is_revoked
        self._clock = clock
        self._remembered = lru_cache(maxsize=REMEMBERED_TOKENS)(self._read)

    def issue(
        self,
        user_id: int,
        *,
        admin: bool = False,
        ttl_seconds: int,
        login_id: str = "",
        issued_at: float | None = None,
    ) -> str:
        """A new token for a user.

        Args:
            user_id: from 1 to 2^63-1.
            admin: whether the token speaks for an administrator.
            ttl_seconds: how long it is valid, at least 1 and at most the longest life allowed.
            login_id: what tokens of one log-in have in common.
            issued_at: in seconds since the epoch, if it is not now.

        Raises:
            NoSigningKey: only a public key is known.
            ValueError: the user id or the time is out of range.
        """
        if not isinstance(self._key, bytes):
            raise NoSigningKey(
                f"a public key verifies {self._algorithm} tokens; issuing needs the private one"
            )
        if not 1 <= user_id <= LARGEST_USER_ID:
            raise ValueError(f"a user id lies between 1 and {LARGEST_USER_ID}, not {user_id}")
        if not 1 <= ttl_seconds <= self._max_life_seconds:
            raise ValueError(
                f"a token lives between 1 and {self._max_life_seconds:.0f} seconds, not {ttl_seconds}"
            )
        # To the microsecond, so that a token can be told from one of before a change of password.
        issued_at = self._clock() if issued_at is None else issued_at
        claims: dict[str, Any] = {
            "sub": str(user_id),
            "admin": admin,
            "iat": issued_at,
            "exp": int(issued_at) + ttl_seconds,
            "jti": uuid.uuid4().hex,
        }
        if login_id:
            claims["sid"] = login_id
        if self._issuer is not None:
            claims["iss"] = self._issuer
        if self._audience is not None:
            claims["aud"] = self._audience
        return jwt.encode(claims, self._key, algorithm=self._algorithm)

    def verify(self, token: str) -> Identity:
        """Whom the token speaks for.

        Raises:
            InvalidToken: it must not be believed.
        """
        identity = self._remembered(token)
        if identity.expires_at <= self._clock():
            raise InvalidToken("token_expired", "the token has expired")
        if self._is_revoked(identity):
            raise InvalidToken("token_revoked", "the token was revoked")
        return identity

    def _read(self, token: str) -> Identity:
        if len(token) > TOKEN_LIMIT_BYTES or not token.isascii():
            raise InvalidToken("token_invalid", f"a token is at most {TOKEN_LIMIT_BYTES} bytes of ASCII")
        claims = self._claims(token)
        return Identity(
            user_id=_user_id(claims["sub"]),
            admin=_admin(claims),
            expires_at=self._expiry(claims),
            token_id=_claimed_id(claims, "jti") or _digest(claims),
            issued_at=_moment(claims, "iat", default=0),
            login_id=_claimed_id(claims, "sid"),
        )

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return self._decoded(token, self._key)
        except jwt.InvalidSignatureError as error:
            for key in self._old_keys:
                with suppress(jwt.InvalidSignatureError):
                    return self._decoded(token, key)
            raise InvalidToken("token_invalid", str(error)) from error

    def _decoded(self, token: str, key: Key) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                # Times are judged below by the injected clock.
                options={
                    "require": ["exp", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise
        except jwt.PyJWTError as error:
            raise InvalidToken("token_invalid", str(error)) from error
        return claims

    def _expiry(self, claims: dict[str, Any]) -> float:
        now = self._clock()
        issued_at = _moment(claims, "iat", default=now)
        if max(issued_at, _moment(claims, "nbf", default=now)) > now + CLOCK_SKEW_SECONDS:
            raise InvalidToken("token_invalid", "the token is not valid yet")
        expires_at = _moment(claims, "exp")
        if expires_at > issued_at + self._max_life_seconds:
            raise InvalidToken("token_invalid", f"a token lives at most {self._max_life_seconds:.0f} seconds")
        return expires_at


def usable_key(key: str, algorithm: str) -> Key:
    """The key in the form that verifies tokens, if it is fit to.

    Args:
        key: a secret for HS256, a public key in PEM for RS256 and EdDSA.
        algorithm: one of `ALGORITHMS`.

    Raises:
        UnusableKey: the algorithm is unknown, or the key is not for it, too short, or private. A public
            key or a JWK is refused as a secret: everybody knows it (RFC 8725, section 2.1).
    """
    if algorithm not in ALGORITHMS:
        raise UnusableKey(f"the algorithm must be one of {', '.join(ALGORITHMS)}, not {algorithm}")
    method = jwt.get_algorithm_by_name(algorithm)
    try:
        prepared = method.prepare_key(key)
    except (jwt.InvalidKeyError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKey(f"the key is not fit for {algorithm}: {error}") from error
    if shortcoming := method.check_key_length(prepared):
        raise UnusableKey(shortcoming)
    if not isinstance(prepared, Key):
        raise UnusableKey(f"{algorithm} tokens are verified with a public key, and this one is private")
    return prepared


def _user_id(subject: str) -> int:
    if not _DECIMAL_ID.fullmatch(subject) or int(subject) > LARGEST_USER_ID:
        raise InvalidToken("token_invalid", "the subject is not a user's id")
    return int(subject)


def _admin(claims: dict[str, Any]) -> bool:
    admin = claims.get("admin", False)
    if not isinstance(admin, bool):
        raise InvalidToken("token_invalid", "the claim admin is not a boolean")
    return admin


def _claimed_id(claims: dict[str, Any], name: str) -> str:
    """An id by which the token may be revoked; PostgreSQL must be able to store and index it."""
    claimed_id = claims.get(name, "")
    if not isinstance(claimed_id, str) or not _STORABLE_ID.fullmatch(claimed_id):
        raise InvalidToken(
            "token_invalid",
            f"the claim {name} is not a string of at most {CLAIMED_ID_LIMIT} characters without control "
            "characters",
        )
    return claimed_id


def _digest(claims: dict[str, Any]) -> str:
    """What identifies a token without an id: its claims, since its text can be written in several ways."""
    return hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()


def _moment(claims: dict[str, Any], name: str, default: float | None = None) -> float:
    """A NumericDate of RFC 7519; JSON in Python also yields NaN, infinities and integers of any size."""
    moment = claims.get(name, default)
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 <= moment < math.inf:
        raise InvalidToken("token_invalid", f"the claim {name} is not a time")
    return moment
