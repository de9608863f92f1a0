"""Implements `frontrow check`: problems and advice about the settings and the database."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

from api.identity.host_names import ANY_NAME
from api.identity.origins import ANY_ORIGIN, is_local
from api.venue_time import local_time
from engine.errors import StoreUnavailable
from frontrow.database import PoolerNotSupported, connections_needed, require_own_sessions
from frontrow.listening import authority
from frontrow.permissions import denied, file_in_the_way, unusable_paths
from frontrow.settings import TABLE, Settings
from persistence.connector import Connector
from persistence.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from persistence.errors import DefectiveStatement
from persistence.migrations import REVISION, newest_revision
from persistence.requirements import ABILITIES, FOUND_EXTENSIONS, OLDEST_TESTED, outdated, unmet_requirements
from persistence.server_lock import who_serves

_PROBE = """
SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
       current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('max_connections')::integer
"""

# One sample a day is enough: an offset lasts for weeks.
_OFFSETS = """
SELECT used.time_zone, day, extract(epoch FROM (day AT TIME ZONE used.time_zone) - (day AT TIME ZONE 'UTC'))
FROM (SELECT time_zone FROM cinemas UNION SELECT time_zone FROM events) AS used
CROSS JOIN generate_series(now(), now() + interval '2 years', interval '1 day') AS day
ORDER BY used.time_zone, day
"""


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        good: nothing needs to be done.
        fatal: the server would not start, or could not keep its promises.
        text: a sentence for the operator.
    """

    good: bool
    fatal: bool
    text: str


async def advice(settings: Settings) -> list[Finding]:
    """Check the settings, the data directory, and the database if it is running; changes nothing.

    Args:
        settings: loaded settings, which are valid by then.
    """
    findings = list(_of_settings(settings))
    findings.extend(in_place := list(_of_data_directory(settings)))
    database_url = settings.direct_database_url or settings.database_url
    if not database_url and all(finding.good for finding in in_place):
        embedded = EmbeddedPostgres(settings.data_dir)
        findings.append(_of_embedded(settings, embedded))
        database_url = embedded.url if embedded.postmaster_pid else ""
    if not database_url:
        return findings
    connector = Connector(database_url, pool_size=1, through_pooler=True)
    try:
        ((version, shown, fsync, full_pages, connections),) = await connector.run(_PROBE)
        findings.extend(_of_server(settings, version, shown, fsync == full_pages == "on", connections))
        findings.extend(of_schema := await _of_schema(connector))
        if all(finding.good for finding in of_schema):
            findings.append(await _of_time_zones(connector))
        if who := await who_serves(connector):
            findings.append(Finding(True, False, who))
        await require_own_sessions(settings, database_url)
        if settings.direct_database_url:
            text = "FRONTROW_DIRECT_DATABASE_URL reaches the same database without a pooler"
            findings.append(Finding(True, False, text))
    except (StoreUnavailable, PoolerNotSupported) as exc:
        findings.append(Finding(False, True, str(exc)))
    finally:
        connector.close()
    return findings


def _of_settings(settings: Settings) -> Iterator[Finding]:
    yield Finding(True, False, f"settings are valid ({settings.env})")
    if settings.database_url:
        yield Finding(True, False, f"the database is {settings.shown_database_url}")
    if settings.production and not settings.smtp_url:
        text = "mails are only written to files; set FRONTROW_SMTP_URL to send them"
        yield Finding(False, False, text)
    if settings.production and settings.smtp_url and settings.mail_from == TABLE["mail_from"].default:
        text = (
            f"mails are sent from {settings.mail_from}, which mail servers reject; set FRONTROW_MAIL_FROM to "
            "an address of yours"
        )
        yield Finding(False, False, text)
    site_url = settings.site_url(settings.port)
    if settings.production and is_local(site_url):
        text = f"links in mails point to {site_url}; set FRONTROW_PUBLIC_URL to your site's URL"
        yield Finding(False, False, text)
        if not settings.hosts:
            text = "only requests to IP addresses and localhost are answered; set FRONTROW_HOSTS or the URL"
            yield Finding(False, False, text)
    if settings.production and settings.public_url.startswith("https:") and not settings.trusted_proxies:
        text = (
            "FRONTROW_PUBLIC_URL is https, so clients seem to come through a proxy and to share its address; "
            "set FRONTROW_TRUSTED_PROXIES to the proxy's network"
        )
        yield Finding(False, False, text)
    if settings.production and ANY_ORIGIN in settings.allowed_origins:
        yield Finding(False, False, "any website may call the API: FRONTROW_ALLOWED_ORIGINS contains *")
    if settings.production and ANY_NAME in settings.hosts:
        text = "any host name is accepted, so DNS rebinding is possible: FRONTROW_HOSTS contains *"
        yield Finding(False, False, text)
    if settings.production and settings.allowed_origins and all(map(is_local, settings.allowed_origins)):
        text = (
            "apart from the server's own pages only pages on localhost may call the API; set "
            "FRONTROW_ALLOWED_ORIGINS to your sites' origins, or to nothing if there are none"
        )
        yield Finding(False, False, text)
    if settings.metrics_port:
        place = f"at {authority(settings.metrics_host, settings.metrics_port)}"
    elif settings.metrics_open or settings.metrics_token:
        place = "with the API"
    else:
        place = "nowhere until FRONTROW_METRICS_PORT or FRONTROW_METRICS_TOKEN is set"
    readers = " to callers with the token" if settings.metrics_token else ""
    yield Finding(True, False, f"/metrics is served {place}{readers}")
    if not settings.jwt_secret and not settings.jwt_public_key:
        yield Finding(True, False, f"tokens are signed with the development secret in {settings.data_dir}")


def _of_data_directory(settings: Settings) -> Iterator[Finding]:
    directory = settings.data_dir
    if blocking := file_in_the_way(directory):
        yield Finding(False, True, f"{blocking} is not a directory; choose another data directory")
        return
    unusable = list(unusable_paths(directory))
    if unusable:
        yield from (Finding(False, True, denied(path)) for path in unusable)
    elif not directory.exists():
        yield Finding(
            True, False, f"the data directory {directory} does not exist; `frontrow serve` creates it"
        )


def _of_embedded(settings: Settings, embedded: EmbeddedPostgres) -> Finding:
    place = f"the embedded PostgreSQL in {settings.data_dir}"
    if embedded.exists:
        try:
            embedded.require_same_major_version()
        except EmbeddedPostgresFailed as exc:
            return Finding(False, True, str(exc))
    if settings.production:
        text = f"{place} is used; in production set FRONTROW_DATABASE_URL to a server with backups"
        return Finding(False, False, text)
    if not embedded.exists:
        return Finding(True, False, f"{place} does not exist; `frontrow serve` creates it")
    if embedded.postmaster_pid is None:
        return Finding(True, False, f"{place} is not running and was not checked; `frontrow serve` starts it")
    return Finding(True, False, f"{place} is used")


def _of_server(
    settings: Settings, version: int, shown: str, durable: bool, connections: int
) -> Iterator[Finding]:
    if outdated(version // 10_000, shown) is None:
        yield Finding(True, False, f"PostgreSQL {shown} (tested with {OLDEST_TESTED} and newer)")
    if durable:
        yield Finding(True, False, "fsync and full_page_writes are on")
    else:
        text = "fsync or full_page_writes is off: a crash could lose acknowledged bookings; turn both on"
        yield Finding(False, True, text)
    needed = connections_needed(settings)
    if connections < needed:
        yield Finding(False, True, f"max_connections is {connections}, but this server needs {needed}")


async def _of_schema(connector: Connector) -> list[Finding]:
    try:
        rows = await connector.run(REVISION)
    except DefectiveStatement:
        rows = []
    (abilities,) = await connector.run(ABILITIES)
    too_old = outdated(abilities[0], abilities[1])
    if rows and rows[0][0] == newest_revision():
        found = [Finding(True, False, f"the schema is at {rows[0][0]}")]
        return [*found, Finding(False, True, too_old)] if too_old else found
    missing = [
        Finding(False, True, f"the schema cannot be migrated: {shortcoming}")
        for shortcoming in unmet_requirements(abilities, await connector.run(FOUND_EXTENSIONS))
    ]
    if missing:
        return missing
    what = f"at {rows[0][0]}, older than this version" if rows else "missing"
    text = f"the schema is {what}; `frontrow migrate` or `frontrow serve` brings it up to date"
    return [Finding(False, False, text)]


async def _of_time_zones(connector: Connector) -> Finding:
    """Compare PostgreSQL's rules of the time zones in use with Python's, for two years from now."""
    differing: dict[str, datetime] = {}
    for name, day, offset in await connector.run(_OFFSETS):
        try:
            same = local_time(day, name).utcoffset() == timedelta(seconds=int(offset))
        except ZoneInfoNotFoundError:
            same = False
        if not same:
            differing.setdefault(name, day)
    if not differing:
        return Finding(True, False, "PostgreSQL and Python agree on the time zones in use")
    zones = ", ".join(f"{name} (from {day:%Y-%m-%d})" for name, day in differing.items())
    text = f"PostgreSQL and Python have different rules for {zones}; update the older time zone data"
    return Finding(False, False, text)
