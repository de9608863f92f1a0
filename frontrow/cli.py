"""The `frontrow` command line.

Each command reads the settings, opens the database and prints; what it does stands elsewhere. Whatever an
operator can get wrong ends in one sentence on standard error and exit status 1 (2 for wrong usage).
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import orjson

from api.identity.tokens import NoSigningKey, UnusableKey
from engine.errors import StoreUnavailable
from frontrow import __version__
from frontrow.backup import BackupRefused, back_up, opened_backup
from frontrow.check import advice
from frontrow.database import PoolerInTheWay, database_of, require_own_sessions
from frontrow.listening import AddressUnusable
from frontrow.movie_import import Batch, import_movies
from frontrow.permissions import denied
from frontrow.seeding import seed
from frontrow.serving import serve as run_server
from frontrow.settings import Settings, SettingsError, load_settings
from frontrow.signing import tokens_of
from persistence.bulk import BulkLoader
from persistence.catalogue.movies import Movies
from persistence.connector import Connector
from persistence.data_directory import DataDirectory, DataDirectoryInUse
from persistence.dump import DumpFailed
from persistence.embedded import EmbeddedPostgresFailed
from persistence.migrations import MigrationFailed, migrate
from persistence.server_lock import ServedByAnother, TakenOver

_EXPECTED = (
    SettingsError,
    UnusableKey,
    NoSigningKey,
    AddressUnusable,
    BackupRefused,
    DumpFailed,
    DataDirectoryInUse,
    EmbeddedPostgresFailed,
    MigrationFailed,
    PoolerInTheWay,
    ServedByAnother,
    TakenOver,
    StoreUnavailable,
    ValueError,
)
"""What goes wrong for reasons outside the program: told in words, without a stack trace."""

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the embedded PostgreSQL and development's secret are kept. [FRONTROW_DATA_DIR, or .frontrow]",
)


@contextmanager
def _told_in_words() -> Iterator[None]:
    try:
        yield
    except PermissionError as exc:
        raise click.ClickException(denied(exc.filename)) from exc
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise click.ClickException(f"{exc.filename}: {reason}" if exc.filename else reason) from exc
    except _EXPECTED as exc:
        raise click.ClickException(str(exc)) from exc


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="frontrow")
def main() -> None:
    """Frontrow sells seats: a real-time reservation server and what belongs to it.

    Settings are environment variables that begin with FRONTROW_; options win over them.
    docs/settings.md lists them all.
    """


@main.command()
@click.option("--host", help="Where to listen. [FRONTROW_HOST, or 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="TCP port; 0 takes a free one. [FRONTROW_PORT, or 8000]"
)
@_data_dir
@click.option("--demo", is_flag=True, help="Make a small cinema to look at, with users who may log in.")
@click.option(
    "--standby", is_flag=True, help="Where another server serves the database, wait and take over from it."
)
def serve(host: str | None, port: int | None, data_dir: Path | None, demo: bool, standby: bool) -> None:
    """Run the server until SIGTERM or SIGINT.

    One server serves a database; while it does, another one refuses to start, or waits with --standby.

    Brings the database to the current schema first, and prints "listening on http://HOST:PORT" on standard
    output when it is ready. With no FRONTROW_DATABASE_URL it runs a PostgreSQL of its own in the data
    directory.
    """
    with _told_in_words():
        settings = load_settings(host=host, port=port, data_dir=data_dir)
        run_server(settings, demo=demo, standby=standby, announce=_announce)


def _announce(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


@main.command()
@click.option(
    "--user-id", type=click.IntRange(1, 2**63 - 1), required=True, help="Whom the token speaks for."
)
@click.option("--admin", is_flag=True, help="The token speaks for an administrator.")
@click.option(
    "--ttl",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="How long it lives. [FRONTROW_TOKEN_TTL_SECONDS, or 3600]",
)
@_data_dir
def token(user_id: int, admin: bool, ttl: int | None, data_dir: Path | None) -> None:
    """Print a token (JWT) for a user.

    The user need not be in our database: identities may come from another service.
    """
    with _told_in_words():
        settings = load_settings(data_dir=data_dir)
        seconds = ttl or settings.token_ttl_seconds
        click.echo(tokens_of(settings).issue(user_id, admin=admin, ttl_seconds=seconds))


@main.command("seed")
@click.option("--screenings", type=click.IntRange(1, 1_000_000), required=True, help="How many.")
@click.option("--rows", type=click.IntRange(1, 1000), required=True, help="Rows of each hall.")
@click.option("--seats-per-row", type=click.IntRange(1, 1000), required=True, help="Seats of each row.")
@_data_dir
def seed_command(screenings: int, rows: int, seats_per_row: int, data_dir: Path | None) -> None:
    """Make future screenings for load tests.

    Prints one JSON document on standard output:
    {"screenings": [{"id": …, "room_id": …, "first_seat_id": …, "last_seat_id": …}, …]}.
    A screening's seats have consecutive ids; up to 50 screenings share a hall.
    """

    async def fill(connector: Connector) -> list[dict[str, int]]:
        loader, made = BulkLoader(connector), list[dict[str, int]]()
        with click.progressbar(length=screenings, label="Screenings", file=sys.stderr) as progress:
            async for batch in seed(loader, screenings, rows, seats_per_row):
                made.extend(screening._asdict() for screening in batch)
                progress.update(len(batch))
        return made

    with _told_in_words():
        made = _with_database(load_settings(data_dir=data_dir), fill)
    click.echo(json.dumps({"screenings": made}))


@main.command("import-movies")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_data_dir
def import_movies_command(file: Path, data_dir: Path | None) -> None:
    """Import films from FILE, a JSON array like movies.json of the npm package vega-datasets.

    Films that were imported before are brought up to date. Rows that cannot be used are reported on standard
    error with their numbers, counted from 1, and skipped. Prints one JSON document on standard output:
    {"rows": …, "created": …, "changed": …, "unchanged": …, "skipped": …}.
    """

    async def fill(connector: Connector) -> list[Batch]:
        movies, batches = Movies(connector), list[Batch]()
        with click.progressbar(length=len(rows), label="Movies", file=sys.stderr) as progress:
            async for batch in import_movies(movies, rows, datetime.now(UTC).date()):
                batches.append(batch)
                progress.update(batch.row_count)
        return batches

    with _told_in_words():
        content = file.read_bytes()
        try:
            # Detects a byte order mark and the encoding.
            rows = orjson.loads(content.decode(json.detect_encoding(content)))
        except ValueError as exc:
            raise ValueError(f"{file} is not JSON: {exc}") from exc
        if not isinstance(rows, list):
            raise ValueError(f"{file} is not a JSON array")
        batches = _with_database(load_settings(data_dir=data_dir), fill)
    bad_rows = [bad for batch in batches for bad in batch.bad_rows]
    for bad in bad_rows:
        click.echo(f"row {bad.number} skipped: {bad.reason}", err=True)
    summary = {
        "rows": len(rows),
        "created": sum(batch.imported.created for batch in batches),
        "changed": sum(batch.imported.changed for batch in batches),
        "unchanged": sum(batch.unchanged for batch in batches),
        "skipped": len(bad_rows),
    }
    click.echo(json.dumps(summary))


@main.command("migrate")
@_data_dir
def migrate_command(data_dir: Path | None) -> None:
    """Bring the database to the current schema.

    Nothing is applied twice, and it may run beside a server.
    """
    with _told_in_words(), _database(load_settings(data_dir=data_dir)) as url:
        applied = migrate(url)
    click.echo("\n".join(f"applied {name}" for name in applied) or "the database is up to date")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_data_dir
def backup(file: Path, data_dir: Path | None) -> None:
    """Write the database and the secrets of its tickets to FILE.

    It may run beside a server: the backup is one snapshot of the database. FILE must not exist. Only its
    owner can read it; keep it safe, since it is enough to read personal data and sign tickets.
    """
    with _told_in_words():
        settings = load_settings(data_dir=data_dir)
        with _database(settings) as url:
            back_up(settings, url, file, partial(click.echo, err=True))
    click.echo(f"backed up to {file}")


@main.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_data_dir
def restore_command(file: Path, data_dir: Path | None) -> None:
    """Restore the backup FILE into an empty database.

    No server may run on it. The database is brought to the current schema; secrets that no setting gives are
    put into the data directory.
    """
    with _told_in_words(), opened_backup(file) as backup:
        settings = load_settings(data_dir=data_dir)
        with DataDirectory(settings.data_dir).locked(), _database(settings) as url:
            to_do = asyncio.run(backup.restore(settings, url, partial(click.echo, err=True)))
    for sentence in to_do:
        click.echo(f"note: {sentence}", err=True)
    click.echo(f"restored from {file}")


@main.command()
@_data_dir
def check(data_dir: Path | None) -> None:
    """Check the settings and the database, with advice. Exit status 1 if something is wrong.

    Makes, starts and changes nothing: an embedded PostgreSQL that does not run is not looked into.
    """
    with _told_in_words():
        findings = asyncio.run(advice(load_settings(data_dir=data_dir)))
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'FAIL' if finding.fatal else 'note'}  {finding.text}")
    if any(finding.fatal for finding in findings):
        sys.exit(1)


@main.command("bench", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench_command(arguments: tuple[str, ...]) -> None:
    """Measure the server beside others on this machine, from a checkout."""
    try:
        # Measurements depend on the server, not the server on them: a wheel comes without.
        harness = import_module("bench.command")
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"{exc.name} is missing: frontrow bench needs a checkout and its environment (make install)"
        ) from exc
    harness.bench.main(arguments, prog_name="frontrow bench")


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The URL of the database itself, which no pooler shares with others.

    What these commands set for their session would otherwise be met by other clients of the pooler.
    """
    with database_of(settings) as (url, _):
        if settings.database_url:
            asyncio.run(require_own_sessions(settings, url))
        yield url


def _with_database(settings: Settings, work: Callable[[Connector], Any]) -> Any:
    """Do some work on a migrated database."""

    async def connected(url: str) -> Any:
        connector = Connector(url, pool_size=1, statement_timeout_seconds=120)
        try:
            return await work(connector)
        finally:
            connector.close()

    with _database(settings) as url:
        migrate(url)
        return asyncio.run(connected(url))
