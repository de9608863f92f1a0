"""Verification of tokens: accepts tokens with a valid signature and claims, refuses all known forgeries."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.identity.tokens import Identity, InvalidToken, NoSigningKey, Tokens, UnusableKey
from api.wire import holder_of
from tests.signing_keys import ED25519_KEY, RSA_KEY, STRONG_SECRET, private_pem, public_pem

NOW = 1_800_000_000.0
DAY_SECONDS = 86_400
GOOD_CLAIMS = {"sub": "7", "iat": int(NOW), "exp": int(NOW) + 60}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def tokens(key: str = STRONG_SECRET, **options: Any) -> Tokens:
    return Tokens(key, **{"clock": Clock(), "max_life_seconds": DAY_SECONDS, **options})


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: str = STRONG_SECRET) -> str:
    """Return a hand-made token with a valid HS256 signature, whatever its header and claims."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, claims)]
    body = ".".join(base64url(part.encode()) for part in parts)
    return f"{body}.{base64url(hmac.digest(key.encode(), body.encode(), hashlib.sha256))}"


def with_claims(**claims: Any) -> str:
    return signed({"alg": "HS256", "typ": "JWT"}, {**GOOD_CLAIMS, **claims})


def without_claim(name: str) -> str:
    return signed({"alg": "HS256"}, {key: value for key, value in GOOD_CLAIMS.items() if key != name})


def with_header(**header: Any) -> str:
    return signed({"alg": "HS256", **header}, GOOD_CLAIMS)


SHORT_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refusing it is tested
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_JWK = json.dumps(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True))


def assert_refused(verifier: Tokens, token: str, code: str = "token_invalid") -> None:
    with pytest.raises(InvalidToken) as refusal:
        verifier.verify(token)
    assert refusal.value.code == code


class TestOwnTokens:
    @pytest.mark.parametrize("user_id", [1, 7, 2**63 - 1])
    @pytest.mark.parametrize("admin", [False, True])
    def test_are_accepted(self, user_id: int, admin: bool) -> None:
        issuer = tokens()
        identity = issuer.verify(issuer.issue(user_id, admin=admin, ttl_seconds=60))
        assert identity == Identity(
            user_id, admin, NOW + 60, identity.token_id, NOW, "", holder_of(identity.user_id)
        )
        assert identity.token_id

    def test_have_unique_ids(self) -> None:
        issuer = tokens()
        ids = {issuer.verify(issuer.issue(7, ttl_seconds=60)).token_id for _ in range(100)}
        assert len(ids) == 100

    def test_carry_issuer_and_audience(self) -> None:
        issuer = tokens(issuer="box-office", audience="frontrow")
        assert issuer.verify(issuer.issue(7, ttl_seconds=60)).user_id == 7

    def test_expire_even_if_verified_before(self) -> None:
        clock = Clock()
        issuer = tokens(clock=clock)
        token = issuer.issue(7, ttl_seconds=60)
        clock.now = NOW + 59.999
        assert issuer.verify(token).user_id == 7
        clock.now = NOW + 60
        assert_refused(issuer, token, "token_expired")

    def test_are_refused_once_revoked_even_if_verified_before(self) -> None:
        revoked: set[str] = set()
        issuer = tokens(is_revoked=lambda identity: identity.token_id in revoked)
        token, other = issuer.issue(7, ttl_seconds=60), issuer.issue(7, ttl_seconds=60)
        revoked.add(issuer.verify(token).token_id)
        assert_refused(issuer, token, "token_revoked")
        assert issuer.verify(other).user_id == 7

    @pytest.mark.parametrize("user_id", [0, -1, 2**63])
    def test_cannot_be_issued_for_ids_out_of_range(self, user_id: int) -> None:
        with pytest.raises(ValueError, match="user id"):
            tokens().issue(user_id, ttl_seconds=60)

    def test_of_a_service_are_accepted_only_where_it_is_named(self) -> None:
        issuer = tokens()
        token = issuer.issue_to_service("payments", ttl_seconds=60)
        identity = issuer.verify(token, "payments")
        assert (identity.service, identity.holder) == ("payments", "service:payments")
        assert (identity.user_id, identity.admin, identity.guest) == (0, False, False)
        assert_refused(issuer, token, "service_not_allowed")
        with pytest.raises(ValueError, match="the service must be one of"):
            issuer.issue_to_service("tickets", ttl_seconds=60)

    def test_name_the_channels_whose_seats_they_open(self) -> None:
        issuer = tokens()
        token = issuer.issue(7, ttl_seconds=60, channels=["press", "fans"])
        assert issuer.verify(token).access == ("channel:press", "channel:fans")
        assert issuer.verify(issuer.issue(7, ttl_seconds=60)).access == ()
        too_many = issuer.issue(7, ttl_seconds=60, channels=["press"] * 51)
        for refused in (too_many, issuer.issue(7, ttl_seconds=60, channels=["x" * 256])):
            assert_refused(issuer, refused, "token_invalid")

    @pytest.mark.parametrize("ttl_seconds", [0, -1, DAY_SECONDS + 1])
    def test_cannot_be_issued_for_lifetimes_out_of_range(self, ttl_seconds: int) -> None:
        with pytest.raises(ValueError, match="seconds"):
            tokens().issue(7, ttl_seconds=ttl_seconds)


class TestForeignTokens:
    """Tokens of another service that shares the key; also shows that `signed` makes valid tokens."""

    def test_with_the_required_claims_are_accepted(self) -> None:
        identity = tokens().verify(with_claims())
        assert identity == Identity(
            7, False, NOW + 60, identity.token_id, NOW, "", holder_of(identity.user_id)
        )

    def test_without_an_id_get_a_unique_one(self) -> None:
        ids = [tokens().verify(with_claims(exp=NOW + seconds)).token_id for seconds in (60, 60, 61)]
        assert ids[0] == ids[1] != ids[2]

    def test_may_omit_the_time_of_issue(self) -> None:
        assert tokens().verify(without_claim("iat")).expires_at == NOW + 60

    def test_may_come_from_a_clock_slightly_ahead(self) -> None:
        assert tokens().verify(with_claims(iat=NOW + 2, nbf=NOW + 2)).user_id == 7

    def test_may_name_several_audiences(self) -> None:
        assert tokens(audience="frontrow").verify(with_claims(aud=["bar", "frontrow"])).user_id == 7

    def test_may_have_the_longest_lifetime_allowed(self) -> None:
        assert tokens().verify(with_claims(exp=NOW + DAY_SECONDS)).expires_at == NOW + DAY_SECONDS


FORGERIES = {
    "unsigned": with_header(alg="none").rpartition(".")[0] + ".",
    "none with a signature": with_header(alg="none"),
    "None in another spelling": with_header(alg="nOnE"),
    "no algorithm": signed({"typ": "JWT"}, GOOD_CLAIMS),
    "algorithm of another family": jwt.encode(GOOD_CLAIMS, RSA_KEY, algorithm="RS256"),
    "longer hash of the same family": jwt.encode(GOOD_CLAIMS, STRONG_SECRET * 2, algorithm="HS512"),
    "algorithm not a string": with_header(alg=["HS256"]),
    "another secret": signed({"alg": "HS256"}, GOOD_CLAIMS, key=STRONG_SECRET + "."),
    "claims altered": ".".join(
        [with_claims().split(".")[0], with_claims(sub="8").split(".")[1], with_claims().split(".")[2]]
    ),
    "signature cut": with_claims().rpartition(".")[0] + ".",
    "unknown critical header": with_header(crit=["exp"], exp=int(NOW) + 60),
    "critical header not a list": with_header(crit="b64"),
    "detached payload": with_header(b64=False, crit=["b64"]),
    "own key in the header": signed(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": base64url(b"x" * 32)}}, GOOD_CLAIMS, key="x" * 32
    ),
    "no expiry": without_claim("exp"),
    "expiry null": with_claims(exp=None),
    "expiry NaN": with_claims(exp=float("nan")),
    "expiry infinite": with_claims(exp=float("inf")),
    "expiry huge": with_claims(exp=10**400),
    "expiry of too many digits": signed({"alg": "HS256"}, '{"sub":"7","exp":' + "9" * 5000 + "}"),
    "expiry a string": with_claims(exp=str(int(NOW) + 60)),
    "expiry a boolean": with_claims(exp=True),
    "expiry negative": with_claims(exp=-1),
    "life too long": with_claims(exp=NOW + DAY_SECONDS + 1),
    "life too long without a time of issue": signed(
        {"alg": "HS256"}, {"sub": "7", "exp": NOW + DAY_SECONDS + 1}
    ),
    "issued in the future": with_claims(iat=NOW + 30),
    "issued in the far future": with_claims(iat=10**400, exp=10**400),
    "issue time a string": with_claims(iat="now"),
    "issue time NaN": with_claims(iat=float("nan")),
    "not valid yet": with_claims(nbf=NOW + 30),
    "no subject": without_claim("sub"),
    "subject a number": with_claims(sub=7),
    "subject null": with_claims(sub=None),
    "subject empty": with_claims(sub=""),
    "subject zero": with_claims(sub="0"),
    "subject negative": with_claims(sub="-7"),
    "subject in another spelling": with_claims(sub="07"),
    "subject with a line break": with_claims(sub="7\n"),
    "subject in other digits": with_claims(sub="\u0667"),
    "subject beyond 64 bits": with_claims(sub=str(2**63)),
    "subject a name": with_claims(sub="user:7"),
    "admin a string": with_claims(admin="true"),
    "admin a number": with_claims(admin=1),
    "admin null": with_claims(admin=None),
    "token id a number": with_claims(jti=5),
    "token id null": with_claims(jti=None),
    **{
        f"{claim} {fault}": with_claims(**{claim: value})
        for claim in ("jti", "sid")
        for fault, value in {
            "with a NUL": "a\0b",
            "with a line break": "a\n",
            "with a lone surrogate": "a\ud800",
            "of 256 characters": "a" * 256,
            "of 5,000 characters": "a" * 5000,
        }.items()
    },
    "an audience where none is expected": with_claims(aud="elsewhere"),
    "claims a list": signed({"alg": "HS256"}, [GOOD_CLAIMS]),
    "claims nested deeply": signed({"alg": "HS256"}, "[" * 2000 + "]" * 2000),
    "header nested deeply": signed("[" * 2000 + "]" * 2000, GOOD_CLAIMS),
    "header not JSON": signed("{", GOOD_CLAIMS),
    "a megabyte of claims": with_claims(note="x" * 1_000_000),
    "a megabyte of nothing": "x" * 1_000_000,
    "just over the limit": with_claims(note="x" * 6200),
    "dots only": "...",
    "empty": "",
    "blank around it": f" {with_claims()} ",
    "NUL in it": with_claims() + "\0",
    "not ASCII": with_claims() + "é",
    "lone surrogate": with_claims() + "\ud800",
}


@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES.keys())
def test_forgeries_are_refused(token: str) -> None:
    assert_refused(tokens(), token)


def test_expired_tokens_have_their_own_code() -> None:
    assert_refused(tokens(), with_claims(exp=NOW), "token_expired")
    assert_refused(tokens(), with_claims(exp=0, iat=0), "token_expired")


@pytest.mark.parametrize("claims", [{}, {"iss": "elsewhere"}, {"iss": ["box-office"]}, {"iss": None}])
def test_another_issuer_is_refused(claims: dict[str, Any]) -> None:
    assert_refused(tokens(issuer="box-office"), with_claims(**claims))


@pytest.mark.parametrize(
    "claims", [{}, {"aud": "bar"}, {"aud": ["bar"]}, {"aud": 5}, {"aud": ["frontrow", 5]}]
)
def test_another_audience_is_refused(claims: dict[str, Any]) -> None:
    assert_refused(tokens(audience="frontrow"), with_claims(**claims))


class TestPublicKeys:
    @pytest.mark.parametrize(("algorithm", "private_key"), [("RS256", RSA_KEY), ("EdDSA", ED25519_KEY)])
    def test_verify_but_do_not_issue(self, algorithm: str, private_key: Any) -> None:
        verifier = tokens(public_pem(private_key), algorithm=algorithm)
        token = jwt.encode(GOOD_CLAIMS, private_key, algorithm=algorithm)
        assert verifier.verify(token).user_id == 7
        assert_refused(verifier, token[:-6] + "AAAAAA")
        with pytest.raises(NoSigningKey, match="private"):
            verifier.issue(7, ttl_seconds=60)

    @pytest.mark.parametrize(("algorithm", "private_key"), [("RS256", RSA_KEY), ("EdDSA", ED25519_KEY)])
    def test_are_not_accepted_as_hmac_secrets(self, algorithm: str, private_key: Any) -> None:
        """RS256 to HS256 confusion: a token signed with the public key as the HMAC secret."""
        public_key = public_pem(private_key)
        assert_refused(
            tokens(public_key, algorithm=algorithm), signed({"alg": "HS256"}, GOOD_CLAIMS, public_key)
        )


UNUSABLE_KEYS = {
    "secret empty": ("", "HS256"),
    "secret a byte short": ("x" * 31, "HS256"),
    "public key as the secret": (public_pem(RSA_KEY), "HS256"),
    "JWK as the secret": (RSA_JWK, "HS256"),
    "secret that is no text": ("\udcff" * 32, "HS256"),
    "secret as the public key": (STRONG_SECRET, "RS256"),
    "short RSA key": (public_pem(SHORT_RSA_KEY), "RS256"),
    "private RSA key": (private_pem(RSA_KEY), "RS256"),
    "private Ed25519 key": (private_pem(ED25519_KEY), "EdDSA"),
    "Ed25519 for RSA": (public_pem(ED25519_KEY), "RS256"),
    "RSA for Ed25519": (public_pem(RSA_KEY), "EdDSA"),
    "elliptic curve for RSA": (public_pem(EC_KEY), "RS256"),
    "broken PEM": ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "RS256"),
    "no algorithm": (STRONG_SECRET, "none"),
    "algorithm that is not offered": (STRONG_SECRET, "HS512"),
}


@pytest.mark.parametrize(("key", "algorithm"), UNUSABLE_KEYS.values(), ids=UNUSABLE_KEYS.keys())
def test_unusable_keys_are_refused(key: str, algorithm: str) -> None:
    with pytest.raises(UnusableKey):
        tokens(key, algorithm=algorithm)


def test_a_secret_of_the_minimum_length_is_usable() -> None:
    issuer = tokens("x" * 32)
    assert issuer.verify(issuer.issue(7, ttl_seconds=60)).user_id == 7
