"""Rules for variables: how environs parses them, how they are validated, and how messages describe them."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

from environs import validate
from phonenumbers import SUPPORTED_REGIONS

from api.http1.trusted_proxies import Network
from api.venue_time import zone_names

KIB = 1024
MIB = 1024 * KIB
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS


class Rule(NamedTuple):
    """The values that a variable may have.

    Attributes:
        method: the method of environs that reads it.
        options: arguments of this method.
        allowed: a description that can follow "must be".
    """

    method: str
    options: dict[str, Any]
    allowed: str


def seconds(low: float, high: float) -> Rule:
    """A duration in seconds, bounds included."""
    return Rule("float", {"validate": validate.Range(low, high)}, f"between {low} and {high} seconds")


def whole(low: int, high: int, unit: str = "") -> Rule:
    """A whole number, bounds included."""
    allowed = f"a whole number{unit and f' of {unit}'} between {low} and {high}"
    return Rule("int", {"validate": validate.Range(low, high)}, allowed)


def one_of(*choices: str) -> Rule:
    """One of several strings."""
    return Rule("str", {"validate": validate.OneOf(choices)}, f"one of {', '.join(choices)}")


def fraction() -> Rule:
    """A number from 0 to 1."""
    return Rule("float", {"validate": validate.Range(0, 1)}, "from 0 to 1")


def matching(pattern: str, allowed: str) -> Rule:
    """Text that matches a regular expression completely."""
    return Rule("str", {"validate": validate.Regexp(rf"(?:{pattern})\Z")}, allowed)


def list_of(rule: Rule, allowed: str) -> Rule:
    """Texts separated by commas, each of which satisfies a rule."""

    def check(texts: list[str]) -> None:
        for text in texts:
            rule.options["validate"](text)

    return Rule("list", {"subcast": str.strip, "validate": check}, allowed)


def ports(low: int) -> Rule:
    """TCP ports separated by commas."""

    def check(numbers: list[int]) -> None:
        for number in numbers:
            validate.Range(low, 65_535)(number)

    allowed = f"whole numbers between {low} and 65535, separated by commas"
    return Rule("list", {"subcast": int, "validate": check}, allowed)


def _few_ids(ids: list[int]) -> None:
    validate.Length(max=METRICS_SCREENINGS_LIMIT)(ids)
    for number in ids:
        validate.Range(1)(number)


def _pauses(pauses: list[float]) -> None:
    validate.Length(min=1)(pauses)
    for pause in pauses:
        validate.Range(0.1, DAY_SECONDS)(pause)


def _empty_or_a_file(path: str) -> None:
    if path and not Path(path).is_file():
        raise ValueError


def _not_the_whole_internet(networks: list[Network]) -> None:
    for network in networks:
        validate.Range(min=1)(network.prefixlen)


ANY_TEXT = Rule("str", {}, "any text")
YES_OR_NO = Rule("bool", {}, "true or false")
DIRECTORY = Rule("path", {}, "a directory")
NETWORKS = Rule(
    "list",
    {"subcast": lambda text: ip_network(text.strip()), "validate": _not_the_whole_internet},
    "networks like 10.0.0.0/8 or addresses, but not all addresses, separated by commas",
)
METRICS_SCREENINGS_LIMIT = 20
SCREENINGS = Rule(
    "list",
    {"subcast": int, "validate": _few_ids},
    f"at most {METRICS_SCREENINGS_LIMIT} ids, separated by commas",
)
PAUSES = Rule(
    "list",
    {"subcast": float, "validate": _pauses},
    f"numbers of seconds between 0.1 and {DAY_SECONDS}, separated by commas",
)
SECRET = matching(r"(\S{32,})?", "32 characters or more, without spaces")
WEBHOOK_SECRETS = list_of(
    matching(r"\S{8,}", ""), "secrets of 8 characters or more, without spaces, separated by commas"
)
OLD_SECRETS = list_of(
    matching(r"\S{32,}", ""), "secrets of 32 characters or more, without spaces, separated by commas"
)
DATABASE_URL = matching(r"(postgres(ql)?://\S+)?", "a URL that begins with postgresql://")
NATS_URLS = list_of(
    matching(r"(nats|tls)://\S*[^\s@/]", "a URL"),
    "URLs that begin with nats:// or tls://, separated by commas",
)
NODE_NAME = matching(r"[A-Za-z0-9._-]{0,64}", "at most 64 letters, digits, dots, hyphens and underscores")
OPTIONAL_FILE = Rule("str", {"validate": _empty_or_a_file}, "a file that exists")
SMTP_URL = matching(r"(smtps?://\S+)?", "a URL that begins with smtp:// or smtps://")
MAIL_ADDRESS = matching(r"[^\s@<>]+@[^\s@<>]+", "an e-mail address")
WEB_ADDRESS = matching(
    r"(https?://[^\s?#]*[^\s?#/])?", "a URL like https://example.com, without a trailing slash"
)
HOST = matching(r"\S+", "a host name or an address")
HOST_NAMES = list_of(
    matching(r"[A-Za-z0-9_-][A-Za-z0-9._-]*|\*", "a name"),
    "names without ports, or `*`, separated by commas",
)
ORIGINS = list_of(
    matching(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?|null|\*", "an origin"),
    "origins like https://example.com, `null` or `*`, separated by commas",
)
PATH = matching(r"(/[A-Za-z0-9._~-]+)*", "a path like /tickets, without a trailing slash")
CURRENCY = matching(r"[A-Z]{3}", "the three capital letters of a currency, such as EUR")
PORT = whole(0, 65_535)
REGION = Rule(
    "str",
    {"validate": validate.OneOf(("", *SUPPORTED_REGIONS))},
    "the two capital letters of a region, such as DE",
)
TIME_ZONE = Rule(
    "str",
    {"validate": lambda name: validate.OneOf(zone_names())(name)},
    "the IANA name of a time zone, such as Europe/Berlin",
)
FRAMES_PER_SECOND = Rule(
    "float", {"validate": validate.Range(0.1, 1_000_000)}, "between 0.1 and 1000000 frames"
)
