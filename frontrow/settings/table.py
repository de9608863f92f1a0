"""The table of settings: `Settings` combines the sections, and `TABLE` has one row per setting.

A part of the server takes its settings as a small dataclass with fields of the same names, which
`Settings.group` fills; so no setting is copied by hand.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_type_hints
from urllib.parse import urlsplit

from frontrow.settings.http import HttpSettings, ListeningSettings
from frontrow.settings.identity import PasswordSettings, TokenSettings
from frontrow.settings.process import (
    WORKERS_LIMIT,
    ClusterSettings,
    DatabaseSettings,
    MailSettings,
    OutboxSettings,
    ProcessSettings,
    TraceSettings,
    WebhookSettings,
)
from frontrow.settings.rules import Rule
from frontrow.settings.selling import (
    DoorSettings,
    GuestSettings,
    HoldSettings,
    PaymentSettings,
    ProviderSettings,
    ScreeningSettings,
    VenueSettings,
    WaitlistSettings,
)
from frontrow.settings.sockets import RoomSettings, SocketSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Group = TypeVar("Group", bound="DataclassInstance")

PREFIX = "FRONTROW_"

_END_MARGIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Settings(
    ProcessSettings,
    DatabaseSettings,
    ClusterSettings,
    TraceSettings,
    MailSettings,
    OutboxSettings,
    WebhookSettings,
    ListeningSettings,
    HttpSettings,
    TokenSettings,
    PasswordSettings,
    HoldSettings,
    WaitlistSettings,
    PaymentSettings,
    ProviderSettings,
    DoorSettings,
    GuestSettings,
    VenueSettings,
    ScreeningSettings,
    SocketSettings,
    RoomSettings,
):
    """The settings of one server. Secrets are left out of its `repr`."""

    def group(self, kind: type[Group]) -> Group:
        """Return the settings for a part of the server.

        Args:
            kind: a dataclass. Fields named like a setting or a property of this class get its value; others
                keep their defaults.
        """
        names = [column.name for column in fields(kind) if hasattr(self, column.name)]
        return kind(**{name: getattr(self, name) for name in names})

    def site_url(self, port: int) -> str:
        """Return the URL that links in mails start with.

        Args:
            port: on which the server listens.
        """
        return self.public_url or f"http://127.0.0.1:{port}{self.path_prefix}"

    @property
    def host_names(self) -> tuple[str, ...]:
        """The host names that requests may use."""
        return (*self.hosts, self.host, urlsplit(self.public_url).hostname or "")

    @property
    def metrics_open(self) -> bool:
        """True if the API's port serves the metrics without a token."""
        return not (self.metrics_port or self.metrics_token or self.production)

    @property
    def worker_count(self) -> int:
        """The number of worker processes."""
        return self.workers or min(len(os.sched_getaffinity(0)), WORKERS_LIMIT)

    @property
    def production(self) -> bool:
        """True in production, where weak or missing secrets are rejected."""
        return self.env == "production"

    @property
    def end_seconds(self) -> float:
        """Seconds after which a worker that was told to end is killed."""
        return self.stop_seconds + _END_MARGIN_SECONDS

    @property
    def shown_database_url(self) -> str:
        """The database URL without its password, for messages and logs."""
        without_query_password = re.sub(r"(password=)[^&]*", r"\1***", self.database_url)
        return re.sub(r"(//[^:/@]*:).*@", r"\1***@", without_query_password)


class Setting(NamedTuple):
    """A row of the table.

    Attributes:
        name: of the field.
        default: the value if the variable is not set.
        rule: the allowed values.
        purpose: a description in one or two sentences.
        public: whether its value may be shown.
    """

    name: str
    default: Any
    rule: Rule
    purpose: str
    public: bool

    @property
    def variable(self) -> str:
        return variable_of(self.name)


def variable_of(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()


def _rows(section: "type[DataclassInstance]") -> Iterator[Setting]:
    annotations = get_type_hints(section, include_extras=True)
    for column in fields(section):
        rule, purpose = annotations[column.name].__metadata__
        yield Setting(column.name, column.default, rule, purpose, public=column.repr)


SECTIONS = {section.__doc__ or "": tuple(_rows(section)) for section in Settings.__bases__}
"""The rows of each section by its heading, which is the docstring of its class."""

TABLE = {setting.name: setting for rows in SECTIONS.values() for setting in rows}
"""All rows by field name."""
