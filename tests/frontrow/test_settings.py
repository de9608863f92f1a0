"""Settings: read from the environment, rejected by name, documented from one table."""

import os
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from api.identity.accounts import AccountRules
from api.limits import Limits, SocketLimits
from cluster.beats import Timing
from engine.policy import Policy
from frontrow.settings import TABLE, Settings, SettingsError, load_settings
from frontrow.settings.page import settings_page
from tests.signing_keys import ED25519_KEY, STRONG_SECRET, public_pem

Given = Callable[..., None]
PUBLIC_KEY = public_pem(ED25519_KEY)
OTHER_SECRET = STRONG_SECRET[::-1]

NETWORKS_FAULT = (
    "FRONTROW_TRUSTED_PROXIES must be networks like 10.0.0.0/8 or addresses, but not all addresses, "
    'separated by commas (got "{}")'
)
PREFIX_FAULT = 'FRONTROW_PATH_PREFIX must be a path like /tickets, without a trailing slash (got "{}")'


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("FRONTROW_")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Sets variables by the names of their fields."""

    def give(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(TABLE[name].variable, value)

    return give


def faults() -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value).splitlines() == refusal.value.faults
    return refusal.value.faults


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings() == Settings()


def test_variables_are_read_in_their_types(given: Given) -> None:
    given(
        env="production",
        data_dir="/srv/frontrow",
        database_url="postgresql://frontrow:hush@db.example:5432/frontrow",
        port="9000",
        hold_seconds="90.5",
        hold_life_seconds="600",
        jwt_secret=STRONG_SECRET,
        personal_data_key=OTHER_SECRET,
        allowed_origins="https://tickets.example, http://[::1]:8080",
    )
    settings = load_settings()
    assert settings.production
    assert settings.data_dir == Path("/srv/frontrow")
    assert settings.database_url == "postgresql://frontrow:hush@db.example:5432/frontrow"
    assert (settings.port, settings.hold_seconds) == (9000, 90.5)
    assert settings.allowed_origins == ("https://tickets.example", "http://[::1]:8080")


@pytest.mark.parametrize("origins", ["*", "null", "null, https://tickets.example"])
def test_pages_of_files_and_all_pages_may_be_allowed(origins: str, given: Given) -> None:
    given(allowed_origins=origins)
    assert load_settings().allowed_origins == tuple(origins.split(", "))


@pytest.mark.parametrize("hosts", ["https://tickets.example", "tickets.example:8000", "a b", "[::1]", "a/b"])
def test_a_host_setting_is_a_bare_name(hosts: str, given: Given) -> None:
    given(hosts=hosts)
    assert [fault.split()[0] for fault in faults()] == ["FRONTROW_HOSTS"]


def test_the_names_of_the_server_come_from_three_settings(given: Given) -> None:
    given(hosts="internal, api.example", host="cinema.local", public_url="https://tickets.example:8443/shop")
    assert load_settings().host_names == ("internal", "api.example", "cinema.local", "tickets.example")


def test_an_empty_list_admits_no_foreign_origin(given: Given) -> None:
    given(allowed_origins="")
    assert load_settings().allowed_origins == ()


def test_a_command_line_wins_over_the_environment(given: Given) -> None:
    given(port="not a port", host="192.0.2.1")
    settings = load_settings(port=9000, host=None)
    assert (settings.port, settings.host) == (9000, "192.0.2.1")


@pytest.mark.parametrize("name", TABLE)
def test_each_default_is_a_valid_value(name: str, given: Given) -> None:
    default = TABLE[name].default
    given(**{name: ",".join(map(str, default)) if isinstance(default, tuple) else str(default)})
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("env", "prod", 'FRONTROW_ENV must be one of development, production (got "prod")'),
        ("hold_seconds", "abc", 'FRONTROW_HOLD_SECONDS must be between 1 and 86400 seconds (got "abc")'),
        ("hold_seconds", "0.99", 'FRONTROW_HOLD_SECONDS must be between 1 and 86400 seconds (got "0.99")'),
        ("hold_seconds", "86401", 'FRONTROW_HOLD_SECONDS must be between 1 and 86400 seconds (got "86401")'),
        ("hold_seconds", "nan", 'FRONTROW_HOLD_SECONDS must be between 1 and 86400 seconds (got "nan")'),
        ("hold_seconds", "inf", 'FRONTROW_HOLD_SECONDS must be between 1 and 86400 seconds (got "inf")'),
        ("hold_seconds", "", 'FRONTROW_HOLD_SECONDS must be between 1 and 86400 seconds (got "")'),
        ("port", "65536", 'FRONTROW_PORT must be a whole number between 0 and 65535 (got "65536")'),
        ("port", "-1", 'FRONTROW_PORT must be a whole number between 0 and 65535 (got "-1")'),
        ("port", "80.5", 'FRONTROW_PORT must be a whole number between 0 and 65535 (got "80.5")'),
        ("port", "9" * 5000, f'FRONTROW_PORT must be a whole number between 0 and 65535 (got "{"9" * 80}")'),
        (
            "idempotency_hours",
            "23",
            'FRONTROW_IDEMPOTENCY_HOURS must be a whole number of hours between 24 and 8760 (got "23")',
        ),
        ("host", "", 'FRONTROW_HOST must be a host name or an address (got "")'),
        *(
            ("trusted_proxies", text, NETWORKS_FAULT.format(text))
            for text in ("10.0.0.1/8", "0.0.0.0/0", "::/0", "x")
        ),
        *(
            ("path_prefix", text, PREFIX_FAULT.format(text))
            for text in ("tickets", "/", "/a/", "/a b", "/a/../b?")
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_named(name: str, text: str, fault: str, given: Given) -> None:
    given(**{name: text})
    assert faults() == [fault]


@pytest.mark.parametrize(
    "origins",
    [
        "none",
        "https://*.example",
        "tickets.example",
        "https://tickets.example/",
        "https://a.example,,https://b.example",
        "ftp://a",
    ],
)
def test_invalid_origins_are_refused(origins: str, given: Given) -> None:
    given(allowed_origins=origins)
    assert [fault.split()[0] for fault in faults()] == ["FRONTROW_ALLOWED_ORIGINS"]


def test_unknown_variables_are_refused_with_a_suggestion(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(port="abc")
    monkeypatch.setenv("FRONTROW_HOLD_SECOND", "9")
    monkeypatch.setenv("FRONTROW_XYZZY", "9")
    monkeypatch.setenv("FRONTROW_log_level", "debug")
    monkeypatch.setenv("FRONTROW_TEST_KILLS", "9")
    assert faults() == [
        "FRONTROW_HOLD_SECOND is not a setting; FRONTROW_HOLD_SECONDS may be meant",
        "FRONTROW_XYZZY is not a setting; docs/settings.md lists them all",
        "FRONTROW_log_level is not a setting; FRONTROW_LOG_LEVEL may be meant",
        'FRONTROW_PORT must be a whole number between 0 and 65535 (got "abc")',
    ]


def test_all_faults_are_reported_at_once(given: Given) -> None:
    given(
        port="abc",
        env="prod",
        jwt_algorithm="none",
        jwt_secret="short",
        hold_seconds="600",
        hold_life_seconds="60",
    )
    assert [fault.split()[0] for fault in faults()] == [
        "FRONTROW_ENV",
        "FRONTROW_PORT",
        "FRONTROW_JWT_ALGORITHM",
        "FRONTROW_HOLD_SECONDS",
    ]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (
            {"hold_seconds": "600", "hold_life_seconds": "599"},
            "FRONTROW_HOLD_SECONDS must not be greater than FRONTROW_HOLD_LIFE_SECONDS",
        ),
        (
            {"guest_hold_minutes": "31"},
            "FRONTROW_GUEST_HOLD_MINUTES must not be greater than FRONTROW_GUEST_HOLD_MINUTES_LIMIT",
        ),
        (
            {"token_max_life_seconds": "60"},
            "FRONTROW_TOKEN_TTL_SECONDS must not be greater than FRONTROW_TOKEN_MAX_LIFE_SECONDS",
        ),
        (
            {"jwt_public_key": PUBLIC_KEY},
            "FRONTROW_JWT_PUBLIC_KEY is not used with FRONTROW_JWT_ALGORITHM=HS256",
        ),
        (
            {"jwt_public_key": PUBLIC_KEY, "jwt_secret": STRONG_SECRET, "jwt_algorithm": "EdDSA"},
            "FRONTROW_JWT_SECRET is not used with FRONTROW_JWT_ALGORITHM=EdDSA",
        ),
        (
            {"metrics_port": "9100", "extra_ports": "9100"},
            "FRONTROW_METRICS_PORT must differ from FRONTROW_PORT and FRONTROW_EXTRA_PORTS",
        ),
        ({"jwt_algorithm": "RS256"}, "FRONTROW_JWT_PUBLIC_KEY must be the public key for RS256, in PEM"),
        ({"nats_ca": __file__}, "FRONTROW_NATS_CA needs FRONTROW_NATS_URL, which is empty"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    values: dict[str, str], fault: str, given: Given
) -> None:
    given(**values)
    assert faults() == [fault]


def test_nats_servers_and_their_files(given: Given) -> None:
    urls = ("nats://hush@nats-1:4222", "tls://node:hush@[::1]", "nats://nats-2.example.com")
    given(nats_url=", ".join(urls), nats_credentials="", nats_ca=__file__)
    settings = load_settings()
    assert settings.nats_url == urls
    assert (settings.nats_credentials, settings.nats_ca) == ("", __file__)
    assert "hush" not in repr(settings)
    given(nats_ca="/missing")
    assert faults() == ['FRONTROW_NATS_CA must be a file that exists (got "/missing")']
    for bad in ("http://hush@nats", "nats://hush@", "nats://a b", "nats://nats, hush@nats"):
        given(nats_url=bad, nats_ca="")
        assert faults() == [
            "FRONTROW_NATS_URL must be URLs that begin with nats:// or tls://, separated by commas"
        ]


class TestKeys:
    def test_development_needs_none(self) -> None:
        assert load_settings().jwt_secret == ""

    @pytest.mark.parametrize("env", ["development", "production"])
    def test_a_strong_secret_is_accepted(self, env: str, given: Given) -> None:
        given(env=env, jwt_secret=STRONG_SECRET, personal_data_key=OTHER_SECRET)
        assert load_settings().jwt_secret == STRONG_SECRET

    @pytest.mark.parametrize("env", ["development", "production"])
    def test_a_short_secret_is_refused(self, env: str, given: Given) -> None:
        given(env=env, jwt_secret=STRONG_SECRET[1:], personal_data_key=OTHER_SECRET)
        (fault,) = faults()
        assert fault.startswith("FRONTROW_JWT_SECRET is refused: ")
        assert STRONG_SECRET[1:] not in fault

    @pytest.mark.parametrize(
        "secret",
        [
            "",
            "a" * 64,
            "abc" * 20,
            "a-string-secret-at-least-256-bits-long",
            "ChangeMe-ChangeMe-ChangeMe-ChangeMe",
            "my super PASSWORD for the cinema API",
            "0123456789abcdef0123456789abcdef",
        ],
    )
    def test_production_refuses_a_guessable_one(self, secret: str, given: Given) -> None:
        given(env="production", jwt_secret=secret, personal_data_key=OTHER_SECRET)
        (fault,) = faults()
        assert fault.startswith("FRONTROW_JWT_SECRET must be a random secret in production")
        assert not secret or secret not in fault

    def test_production_accepts_a_public_key_instead(self, given: Given) -> None:
        given(
            env="production",
            jwt_algorithm="EdDSA",
            jwt_public_key=PUBLIC_KEY,
            personal_data_key=OTHER_SECRET,
        )
        assert load_settings().jwt_public_key == PUBLIC_KEY

    @pytest.mark.parametrize("secret", ["", "abc" * 20, "ChangeMe-ChangeMe-ChangeMe-ChangeMe"])
    def test_production_needs_a_random_key_for_personal_data(self, secret: str, given: Given) -> None:
        given(env="production", jwt_secret=STRONG_SECRET, personal_data_key=secret)
        (fault,) = faults()
        assert fault.startswith("FRONTROW_PERSONAL_DATA_KEY must be a random secret in production")
        assert not secret or secret not in fault

    def test_production_refuses_a_guessable_cron_secret(self, given: Given) -> None:
        given(env="production", jwt_secret=STRONG_SECRET, personal_data_key=OTHER_SECRET)
        given(cron_secret="cron-" * 8)
        (fault,) = faults()
        assert fault.startswith("FRONTROW_CRON_SECRET must be a random secret in production")

    def test_production_refuses_a_guessable_metrics_token(self, given: Given) -> None:
        given(env="production", jwt_secret=STRONG_SECRET, personal_data_key=OTHER_SECRET)
        given(metrics_token="change-me-" * 5)
        (fault,) = faults()
        assert fault.startswith("FRONTROW_METRICS_TOKEN must be a random secret in production")

    @pytest.mark.parametrize("name", ["personal_data_key", "cron_secret", "metrics_token"])
    def test_a_secret_has_32_characters_or_more(self, name: str, given: Given) -> None:
        given(**{name: STRONG_SECRET[1:]})
        (fault,) = faults()
        assert fault == f"FRONTROW_{name.upper()} must be 32 characters or more, without spaces"

    def test_a_public_key_must_fit_its_algorithm(self, given: Given) -> None:
        given(jwt_algorithm="RS256", jwt_public_key=PUBLIC_KEY)
        (fault,) = faults()
        assert fault.startswith("FRONTROW_JWT_PUBLIC_KEY is refused: ")


class TestPasswords:
    def test_are_not_in_the_representation(self, given: Given) -> None:
        given(jwt_secret=STRONG_SECRET, database_url="postgresql://frontrow:hush@localhost/frontrow")
        shown = repr(load_settings())
        assert STRONG_SECRET not in shown
        assert "hush" not in shown

    def test_are_not_in_a_fault(self, given: Given) -> None:
        given(database_url="mysql://frontrow:hush@localhost/frontrow")
        assert faults() == ["FRONTROW_DATABASE_URL must be a URL that begins with postgresql://"]

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("", ""),
            ("postgresql://localhost:5432/frontrow", "postgresql://localhost:5432/frontrow"),
            ("postgresql://frontrow@localhost/frontrow", "postgresql://frontrow@localhost/frontrow"),
            ("postgresql://frontrow:hush@localhost/frontrow", "postgresql://frontrow:***@localhost/frontrow"),
            ("postgresql://frontrow:hu@sh@localhost/x", "postgresql://frontrow:***@localhost/x"),
            ("postgresql:///x?user=y&password=hush&port=1", "postgresql:///x?user=y&password=***&port=1"),
        ],
    )
    def test_are_masked_in_displayed_urls(self, url: str, shown: str) -> None:
        assert Settings(database_url=url).shown_database_url == shown


GROUPS = (AccountRules, Limits, Policy, SocketLimits, Timing)
NOT_FOR_OPERATORS = {
    "header_bytes",
    "request_line_bytes",
    "header_count",
    "recent_answers_bytes",
    "keys_in_flight",
    "bad_messages",
    "catch_up_seconds",
}


def test_groups_use_the_names_of_the_table(given: Given) -> None:
    given(hold_seconds="90", ask_timeout_seconds="1")
    settings = load_settings()
    assert settings.group(Policy) == Policy(hold_seconds=90.0)
    assert settings.group(SocketLimits) == SocketLimits(ask_timeout_seconds=1.0)
    for group in GROUPS:
        strangers = {column.name for column in fields(group)} - TABLE.keys() - NOT_FOR_OPERATORS
        assert not strangers, f"{group.__name__} has fields that no setting fills"


def test_groups_have_the_defaults_of_the_table() -> None:
    for group in GROUPS:
        for column in fields(group):
            if column.name in TABLE and column.default is not MISSING:
                assert column.default == TABLE[column.name].default, f"{group.__name__}.{column.name}"


def test_every_setting_is_used() -> None:
    used = {column.name for group in GROUPS for column in fields(group)}
    for module in (Path(__file__).parents[2] / "frontrow").rglob("*.py"):
        text = module.read_text()
        used |= set(re.findall(r"\b_?settings\.(\w+)", text))
        if "settings" in str(module):
            used |= set(re.findall(r"\bself\.(\w+)", text))
    assert TABLE.keys() - used == set()


def test_the_page_matches_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text() == settings_page(), "run: make docs"


def test_the_page_has_a_row_for_every_field() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("| `FRONTROW_")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(
        f"FRONTROW_{column.name.upper()}" for column in fields(Settings)
    )
    assert all(row.count("|") == 5 for row in rows)


@pytest.mark.parametrize("name", ["jwt_old_secrets", "personal_data_old_keys"])
def test_old_secrets_have_the_same_rules_as_the_current_one(given: Given, name: str) -> None:
    given(**{name: f"{STRONG_SECRET}, {OTHER_SECRET}"})
    assert getattr(load_settings(), name) == (STRONG_SECRET, OTHER_SECRET)
    assert STRONG_SECRET not in repr(load_settings())
    for bad in ("short", f"{STRONG_SECRET},", f"{STRONG_SECRET},short"):
        given(**{name: bad})
        assert faults()[0].startswith(f"{TABLE[name].variable} must be secrets of 32 characters or more")
        assert bad not in faults()[0]
    given(**{name: "change-me-change-me-change-me-change-me"})
    load_settings()
    given(env="production", jwt_secret=STRONG_SECRET, personal_data_key=OTHER_SECRET)
    assert faults()[0].startswith(f"{TABLE[name].variable} contains a secret that is not random")


def test_old_secrets_cannot_be_combined_with_a_public_key(given: Given) -> None:
    given(jwt_algorithm="EdDSA", jwt_public_key=PUBLIC_KEY, jwt_old_secrets=STRONG_SECRET)
    assert faults() == ["FRONTROW_JWT_OLD_SECRETS is not used with FRONTROW_JWT_ALGORITHM=EdDSA"]


def test_proxy_protocol_ports_must_differ_from_others(given: Given) -> None:
    given(proxy_protocol_ports="8002")
    assert faults() == [
        "FRONTROW_PROXY_PROTOCOL_PORTS needs FRONTROW_TRUSTED_PROXIES: only trusted proxies may connect there"
    ]
    given(trusted_proxies="10.0.0.0/8, ::1", extra_ports="8001")
    settings = load_settings()
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    given(proxy_protocol_ports="8001,8002")
    assert faults() == [
        "FRONTROW_PROXY_PROTOCOL_PORTS must not contain ports of FRONTROW_PORT, FRONTROW_METRICS_PORT, "
        "FRONTROW_EXTRA_PORTS"
    ]


def test_a_node_must_be_able_to_miss_a_heartbeat(given: Given) -> None:
    given(node_heartbeat_seconds="2", node_gone_seconds="3.9")
    assert faults() == ["FRONTROW_NODE_GONE_SECONDS must be at least twice FRONTROW_NODE_HEARTBEAT_SECONDS"]
    given(node_gone_seconds="4")
    load_settings()
