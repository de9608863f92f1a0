"""Checks for settings that are valid individually but not together."""

from collections.abc import Iterator
from typing import NamedTuple

from api.identity.tokens import UnusableKey, usable_key
from frontrow.settings.table import Settings, variable_of

# Parts of typical placeholders in tutorials; a random secret contains none of them.
_PLACEHOLDERS = ("secret", "password", "change", "example", "frontrow", "qwerty", "1234567")
_FEWEST_DISTINCT_CHARACTERS = 8

_AT_MOST = {
    "hold_seconds": "hold_life_seconds",
    "guest_hold_minutes": "guest_hold_minutes_limit",
    "token_ttl_seconds": "token_max_life_seconds",
}


class Contradiction(NamedTuple):
    """Settings that cannot be used together.

    Attributes:
        names: of their fields; the message names the first one.
        complaint: the end of a sentence that starts with its variable.
    """

    names: tuple[str, ...]
    complaint: str


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield all contradictions between settings."""
    for part, whole in _AT_MOST.items():
        if getattr(settings, part) > getattr(settings, whole):
            yield Contradiction((part, whole), f"must not be greater than {variable_of(whole)}")
    if settings.direct_database_url and not settings.database_url:
        complaint = f"needs {variable_of('database_url')}, which is empty"
        yield Contradiction(("direct_database_url", "database_url"), complaint)
    for name in ("nats_credentials", "nats_ca"):
        if getattr(settings, name) and not settings.nats_url:
            yield Contradiction((name, "nats_url"), f"needs {variable_of('nats_url')}, which is empty")
    if settings.node_gone_seconds < 2 * settings.node_heartbeat_seconds:
        complaint = f"must be at least twice {variable_of('node_heartbeat_seconds')}"
        yield Contradiction(("node_gone_seconds", "node_heartbeat_seconds"), complaint)
    yield from _of_ports(settings)
    yield from _of_keys(settings)
    if settings.production:
        if settings.test_payment:
            yield Contradiction(("test_payment", "env"), "must not be set in production: no money would move")
        yield from _of_secrets_in_production(settings)


def _of_ports(settings: Settings) -> Iterator[Contradiction]:
    own_ports = [port for port in (settings.port, *settings.extra_ports) if port]
    if len(set(own_ports)) < len(own_ports):
        complaint = f"must not contain {variable_of('port')}, nor a port twice"
        yield Contradiction(("extra_ports", "port"), complaint)
    if settings.metrics_port in own_ports:
        complaint = f"must differ from {variable_of('port')} and {variable_of('extra_ports')}"
        yield Contradiction(("metrics_port", "port", "extra_ports"), complaint)
    if not {*own_ports, settings.metrics_port}.isdisjoint(set(settings.proxy_protocol_ports) - {0}):
        others = ("port", "metrics_port", "extra_ports")
        complaint = f"must not contain ports of {', '.join(map(variable_of, others))}"
        yield Contradiction(("proxy_protocol_ports", *others), complaint)
    if settings.proxy_protocol_ports and not settings.trusted_proxies:
        complaint = f"needs {variable_of('trusted_proxies')}: only trusted proxies may connect there"
        yield Contradiction(("proxy_protocol_ports", "trusted_proxies"), complaint)


def _of_keys(settings: Settings) -> Iterator[Contradiction]:
    algorithm = settings.jwt_algorithm
    key_name = _key_name(settings)
    unused = {"jwt_secret", "jwt_old_secrets", "jwt_public_key"} - {key_name}
    if algorithm == "HS256":
        unused -= {"jwt_old_secrets"}
    for name in sorted(unused):
        if getattr(settings, name):
            complaint = f"is not used with {variable_of('jwt_algorithm')}={algorithm}"
            yield Contradiction((name, "jwt_algorithm"), complaint)
    if key := getattr(settings, key_name):
        try:
            usable_key(key, algorithm)
        except UnusableKey as error:
            yield Contradiction((key_name, "jwt_algorithm"), f"is refused: {error}")
    elif key_name == "jwt_public_key":
        complaint = f"must be the public key for {algorithm}, in PEM"
        yield Contradiction((key_name, "jwt_algorithm"), complaint)
    for number, secret in enumerate(settings.jwt_old_secrets, 1):
        try:
            usable_key(secret, "HS256")
        except UnusableKey as error:
            yield Contradiction(("jwt_old_secrets",), f"is refused: secret {number} of the list: {error}")


def _key_name(settings: Settings) -> str:
    return "jwt_secret" if settings.jwt_algorithm == "HS256" else "jwt_public_key"


def _of_secrets_in_production(settings: Settings) -> Iterator[Contradiction]:
    for name in ("jwt_old_secrets", "personal_data_old_keys"):
        if any(map(_is_guessable, getattr(settings, name))):
            complaint = "contains a secret that is not random, so nothing signed or encrypted with it is safe"
            yield Contradiction((name, "env"), complaint)
    secrets: list[tuple[str, ...]] = [("personal_data_key", "env")]
    if _key_name(settings) == "jwt_secret":
        secrets.append(("jwt_secret", "jwt_algorithm", "env"))
    secrets += [(name, "env") for name in ("cron_secret", "metrics_token") if getattr(settings, name)]
    for names in secrets:
        if _is_guessable(getattr(settings, names[0])):
            complaint = "must be a random secret in production, for example from: openssl rand -base64 48"
            yield Contradiction(names, complaint)


def _is_guessable(secret: str) -> bool:
    few_characters = len(set(secret)) < _FEWEST_DISTINCT_CHARACTERS
    return few_characters or any(placeholder in secret.casefold() for placeholder in _PLACEHOLDERS)
