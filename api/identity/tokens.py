"""Issues and verifies JSON Web Tokens.

PyJWT checks the signature. By default it accepts tokens without `exp`, of two megabytes, or valid for a
century, which is too lenient for a public API, so this module sets every bound. The rules, from RFC 8725:

* the operator chooses the one algorithm, never the token; keys have full length and the right type;
* `sub` is a user id in decimal, with one spelling per user; `admin`, if present, is a JSON boolean;
* a token whose `scope` (RFC 9068) names one of `SERVICES` is a service's and no user's, whatever else it
  claims: its `sub` may be any text, it has no administrator's rights, and only operations that name the
  service accept it;
* `exp` is present, finite, and no further away than the longest lifetime allowed;
* a token's length is checked before anything parses it.

Verified tokens are cached, because clients send the same one with every request. Expiry and revocation are
checked every time.
"""

import hashlib
import json
import math
import re
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.lru_cache import LruCache
from api.wire import holder_of
from engine.records import channel_key

TOKEN_LIMIT_BYTES = 8192
REMEMBERED_BYTES = 64 * 1024 * 1024
"""Memory for verified tokens: some 70,000 of the usual length."""

REMEMBERED_SECONDS = 600.0
"""Time after which an unused verified token is forgotten. Verifying it again takes less than 0.1 ms."""

_IDENTITY_BYTES = 700
"""Memory of a verified token without its text."""

ALGORITHMS = ("HS256", "RS256", "EdDSA")
LARGEST_USER_ID = 2**63 - 1
SERVICES = ("payments", "check-in")
"""Scopes that make a token a service's."""
FIRST_GUEST_ID = 2**62
"""Lowest id of a guest (`api.identity.guests`); ids of accounts are lower."""
# Issuers' clocks may run slightly ahead. Applies to `iat` and `nbf`, never to `exp`.
CLOCK_SKEW_SECONDS = 5

Key = bytes | RSAPublicKey | Ed25519PublicKey | Ed448PublicKey

CLAIMED_ID_LIMIT = 255

CLAIMED_CHANNELS_LIMIT = 50
"""Most channels in a token."""

_SERVICE_PREFIX = "service:"
_DECIMAL_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_STORABLE_ID = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{0,{CLAIMED_ID_LIMIT}}}")


class Identity(NamedTuple):
    """The user or the service that a token authenticates.

    Attributes:
        user_id: from 1 to 2^63-1; 0 for a service.
        admin: whether the user is an administrator.
        expires_at: expiry of the token, in seconds since the epoch.
        token_id: the `jti` claim; a digest of all claims if the token has none.
        issued_at: the `iat` claim, in seconds since the epoch; 0 if the token has none.
        login_id: the `sid` claim, shared by all tokens of one log-in; empty if the token has none.
        holder: the engine's name of the user or the service.
        service: one of `SERVICES`; empty for a user.
        access: keys of the blocks that the channels in the claim `channels` open.
    """

    user_id: int
    admin: bool
    expires_at: float
    token_id: str
    issued_at: float
    login_id: str
    holder: str
    service: str = ""
    access: tuple[str, ...] = ()

    @property
    def guest(self) -> bool:
        """True if it is a guest without an account."""
        return self.user_id >= FIRST_GUEST_ID


class InvalidToken(Exception):
    """A token failed verification.

    Attributes:
        code: `token_expired`, `token_revoked`, or `token_invalid` for everything else.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class OfService(InvalidToken):
    """The token is a service's, which may not do this."""

    def __init__(self, service: str) -> None:
        super().__init__("service_not_allowed", f"a token of the service {service} cannot be used here")


class UnusableKey(Exception):
    """A key is not fit to verify tokens: too short, of another type, or private instead of public."""


class NoSigningKey(Exception):
    """This server only has a public key, so it can verify tokens but not issue them."""


def never_revoked(identity: Identity) -> bool:
    """Default for servers without revocations."""
    return False


class Tokens:
    """Issues tokens under one key, and verifies tokens of that key and of earlier ones.

    Args:
        key: a secret of at least 32 bytes for HS256, a public key in PEM for RS256 and EdDSA.
        old_keys: earlier keys of the same type, used for verification only.
        algorithm: one of `ALGORITHMS`.
        issuer: if given, the required `iss`.
        audience: if given, `aud` must equal or contain it; if not, a token must not have an `aud`.
        max_life_seconds: longest time from `iat` (or from now, if that is missing) to `exp`.
        is_revoked: called at every verification.
        clock: returns the time in seconds since the epoch.
        now: returns the time in seconds; monotonic.

    Raises:
        UnusableKey: a key does not fit the algorithm.
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
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, *self._old_keys = [usable_key(each, algorithm) for each in (key, *old_keys)]
        self._algorithm = algorithm
        self._issuer = issuer
        self._audience = audience
        self._max_life_seconds = max_life_seconds
        self._is_revoked = is_revoked
        self._clock = clock
        self._remembered: LruCache[str, Identity] = LruCache(
            REMEMBERED_BYTES, idle_seconds=REMEMBERED_SECONDS, now=now
        )

    def issue(
        self,
        user_id: int,
        *,
        admin: bool = False,
        ttl_seconds: int,
        login_id: str = "",
        issued_at: float | None = None,
        channels: Sequence[str] = (),
    ) -> str:
        """Return a new token for a user.

        Args:
            user_id: from 1 to 2^63-1.
            admin: whether the user is an administrator.
            ttl_seconds: lifetime, from 1 to the longest lifetime allowed.
            login_id: stored as the `sid` claim; empty for none.
            issued_at: seconds since the epoch; now by default.
            channels: those to which it gives access.

        Raises:
            NoSigningKey: this server only has a public key.
            ValueError: the user id or the lifetime is out of range.
        """
        if not 1 <= user_id <= LARGEST_USER_ID:
            raise ValueError(f"the user id must be between 1 and {LARGEST_USER_ID}, not {user_id}")
        claims: dict[str, Any] = {"sub": str(user_id), "admin": admin}
        if login_id:
            claims["sid"] = login_id
        if channels:
            claims["channels"] = list(channels)
        return self._signed(claims, ttl_seconds, issued_at)

    def issue_to_service(self, service: str, *, ttl_seconds: int) -> str:
        """Return a new token for a service.

        Args:
            service: one of `SERVICES`.
            ttl_seconds: lifetime, from 1 to the longest lifetime allowed.

        Raises:
            NoSigningKey: this server only has a public key.
            ValueError: the service is unknown, or the lifetime is out of range.
        """
        if service not in SERVICES:
            raise ValueError(f"the service must be one of {', '.join(SERVICES)}, not {service}")
        return self._signed({"sub": service_holder(service), "scope": service}, ttl_seconds)

    @property
    def issues(self) -> bool:
        """True if this server issues tokens; False if it only verifies those of another service."""
        return isinstance(self._key, bytes)

    def _signed(self, claims: dict[str, Any], ttl_seconds: int, issued_at: float | None = None) -> str:
        if not isinstance(self._key, bytes):
            raise NoSigningKey(
                f"only the public key for {self._algorithm} is known; issuing tokens requires the private key"
            )
        if not 1 <= ttl_seconds <= self._max_life_seconds:
            raise ValueError(
                f"the lifetime must be between 1 and {self._max_life_seconds:.0f} seconds, not {ttl_seconds}"
            )
        # Microseconds distinguish a token issued just after a password change from one issued just before.
        issued_at = self._clock() if issued_at is None else issued_at
        claims |= {"iat": issued_at, "exp": int(issued_at) + ttl_seconds, "jti": uuid.uuid4().hex}
        if self._issuer is not None:
            claims["iss"] = self._issuer
        if self._audience is not None:
            claims["aud"] = self._audience
        return jwt.encode(claims, self._key, algorithm=self._algorithm)

    def verify(self, token: str, service: str = "") -> Identity:
        """Return the identity of a valid token.

        Args:
            token: the JSON Web Token.
            service: whose tokens are accepted besides those of users; by default none.

        Raises:
            InvalidToken: the token is malformed, not signed by a known key, expired or revoked.
            OfService: it is another service's.
        """
        identity = self._remembered.get(token)
        if identity is None:
            identity = self._read(token)
            self._remembered.put(token, identity, len(token) + _IDENTITY_BYTES)
        if identity.service and identity.service != service:
            raise OfService(identity.service)
        self.recheck(identity)
        return identity

    def recheck(self, identity: Identity) -> None:
        """Check what may have changed since a token was verified.

        Raises:
            InvalidToken: it has expired or was revoked.
        """
        if identity.expires_at <= self._clock():
            raise InvalidToken("token_expired", "the token has expired")
        if self._is_revoked(identity):
            raise InvalidToken("token_revoked", "the token was revoked")

    def _read(self, token: str) -> Identity:
        if len(token) > TOKEN_LIMIT_BYTES or not token.isascii():
            raise InvalidToken(
                "token_invalid", f"a token must be at most {TOKEN_LIMIT_BYTES} ASCII characters"
            )
        claims = self._claims(token)
        service = _service(claims)
        user_id = 0 if service else _user_id(claims["sub"])
        return Identity(
            user_id=user_id,
            admin=_admin(claims) and not service,
            expires_at=self._expiry(claims),
            token_id=_claimed_id(claims, "jti") or _digest(claims),
            issued_at=_numeric_date(claims, "iat", default=0),
            login_id=_claimed_id(claims, "sid"),
            holder=service_holder(service) if service else holder_of(user_id),
            service=service,
            access=_access(claims),
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
                # Times are checked below, against the injected clock.
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
        issued_at = _numeric_date(claims, "iat", default=now)
        if max(issued_at, _numeric_date(claims, "nbf", default=now)) > now + CLOCK_SKEW_SECONDS:
            raise InvalidToken("token_invalid", "the token is not valid yet")
        expires_at = _numeric_date(claims, "exp")
        if expires_at > issued_at + self._max_life_seconds:
            raise InvalidToken(
                "token_invalid",
                f"the lifetime of a token must be at most {self._max_life_seconds:.0f} seconds",
            )
        return expires_at


def usable_key(key: str, algorithm: str) -> Key:
    """Parse and check a verification key.

    Args:
        key: a secret for HS256, a public key in PEM for RS256 and EdDSA.
        algorithm: one of `ALGORITHMS`.

    Raises:
        UnusableKey: the algorithm is unknown, or the key is of another type, too short, or private. A
            public key or a JWK is not accepted as an HS256 secret, because it is not secret (RFC 8725,
            section 2.1).
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
        raise UnusableKey(f"the key for {algorithm} is private; give the public key")
    return prepared


def _user_id(subject: str) -> int:
    if not _DECIMAL_ID.fullmatch(subject) or int(subject) > LARGEST_USER_ID:
        raise InvalidToken("token_invalid", "the claim sub is not a user id")
    return int(subject)


def service_holder(service: str) -> str:
    """The engine's name of a service."""
    return f"{_SERVICE_PREFIX}{service}"


def _service(claims: dict[str, Any]) -> str:
    """The service that the claim `scope` names: words separated by spaces, or a list of them."""
    scope = claims.get("scope", "")
    words = scope.split(" ") if isinstance(scope, str) else scope if isinstance(scope, list) else ()
    return next((service for service in SERVICES if service in words), "")


def _admin(claims: dict[str, Any]) -> bool:
    admin = claims.get("admin", False)
    if not isinstance(admin, bool):
        raise InvalidToken("token_invalid", "the claim admin is not a boolean")
    return admin


def _access(claims: dict[str, Any]) -> tuple[str, ...]:
    channels = claims.get("channels", [])
    if not isinstance(channels, list) or len(channels) > CLAIMED_CHANNELS_LIMIT:
        raise InvalidToken(
            "token_invalid", f"the claim channels is not a list of at most {CLAIMED_CHANNELS_LIMIT}"
        )
    if not all(isinstance(channel, str) and len(channel) <= CLAIMED_ID_LIMIT for channel in channels):
        raise InvalidToken("token_invalid", "the claim channels is not a list of names")
    return tuple(map(channel_key, channels))


def _claimed_id(claims: dict[str, Any], name: str) -> str:
    """Return an id for revoking the token, empty if absent; PostgreSQL must be able to store and index it."""
    claimed_id = claims.get(name, "")
    if not isinstance(claimed_id, str) or not _STORABLE_ID.fullmatch(claimed_id):
        raise InvalidToken(
            "token_invalid",
            f"the claim {name} is not a string of at most {CLAIMED_ID_LIMIT} characters without control "
            "characters",
        )
    return claimed_id


def _digest(claims: dict[str, Any]) -> str:
    """Return an id for a token without `jti`: a hash of the claims, since their encoding may vary."""
    return hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()


def _numeric_date(claims: dict[str, Any], name: str, default: float | None = None) -> float:
    """Return a NumericDate (RFC 7519). Python's JSON also parses NaN, infinities and huge integers."""
    seconds = claims.get(name, default)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InvalidToken("token_invalid", f"the claim {name} is not a timestamp")
    return seconds
