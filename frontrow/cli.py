"""The `frontrow` command line.

Each command reads the settings, opens the database and prints; the work itself is in other modules. Every
error that an operator can cause ends in one sentence on standard error and exit status 1 (2 for wrong usage).
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import click
import orjson

from api.identity.tokens import SERVICES
from frontrow import __version__
from frontrow.backup import back_up, opened_backup
from frontrow.check import advice
from frontrow.command_tools import data_dir_option, opened_database, short_errors, with_database
from frontrow.log_commands import log_group
from frontrow.movie_import import BatchReport, import_movies
from frontrow.outbox_commands import outbox
from frontrow.seeding import seed
from frontrow.serving import serve as run_server
from frontrow.settings import WORKERS_LIMIT, load_settings
from frontrow.signing import tokens_of
from frontrow.verify import verify
from persistence.bulk import BulkLoader
from persistence.catalogue.movies import Movies
from persistence.connector import Connector
from persistence.data_directory import DataDirectory
from persistence.migrations import migrate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="frontrow")
def main() -> None:
    """Frontrow: a real-time seat reservation server and its tools.

    Settings are environment variables that begin with FRONTROW_; options override them.
    docs/settings.md lists them all.
    """


@main.command()
@click.option("--host", help="Address to listen on. [FRONTROW_HOST, or 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="TCP port; 0 picks a free one. [FRONTROW_PORT, or 8000]"
)
@data_dir_option
@click.option(
    "--workers",
    type=click.IntRange(0, WORKERS_LIMIT),
    help="Processes on the port; 0 starts one per core. [FRONTROW_WORKERS, or 1]",
)
@click.option("--demo", is_flag=True, help="Create a small cinema to try, with users who can log in.")
@click.option(
    "--standby", is_flag=True, help="If another server uses the database, wait and take over from it."
)
def serve(
    host: str | None, port: int | None, data_dir: Path | None, workers: int | None, demo: bool, standby: bool
) -> None:
    """Run the server until SIGTERM or SIGINT.

    Only one server can use a database at a time; a second one refuses to start, or waits with --standby.

    Migrates the database to the current schema, then prints "listening on http://HOST:PORT" on standard
    output. Without FRONTROW_DATABASE_URL it runs its own PostgreSQL in the data directory.

    With --workers, SIGHUP replaces the processes one after the other.
    """
    with short_errors():
        settings = load_settings(host=host, port=port, data_dir=data_dir, workers=workers)
        run_server(settings, demo=demo, standby=standby, announce=_announce)


def _announce(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


@main.command()
@click.option("--user-id", type=click.IntRange(1, 2**63 - 1), help="The user that the token identifies.")
@click.option(
    "--service",
    type=click.Choice(SERVICES),
    help="Make it a service's token instead: `payments` books, confirms and cancels for users; `check-in` "
    "admits tickets at the door.",
)
@click.option("--admin", is_flag=True, help="Make it an administrator's token.")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME",
    help="Give the user access to the seats that are kept back for this channel; may be repeated.",
)
@click.option(
    "--ttl",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Lifetime of the token. [FRONTROW_TOKEN_TTL_SECONDS, or 3600]",
)
@data_dir_option
def token(
    user_id: int | None,
    service: str | None,
    admin: bool,
    channels: tuple[str, ...],
    ttl: int | None,
    data_dir: Path | None,
) -> None:
    """Print a token (JWT) for a user or a service, on the last line.

    The user need not exist in the database: identities may come from another service.
    """
    if (user_id is None) == (service is None):
        raise click.UsageError("Give either --user-id or --service.")
    if service and admin:
        raise click.UsageError("A service cannot be an administrator; leave out --admin.")
    if service and channels:
        raise click.UsageError("A service has no channels; leave out --channel.")
    with short_errors():
        settings = load_settings(data_dir=data_dir)
        tokens, seconds = tokens_of(settings), ttl or settings.token_ttl_seconds
        if user_id is not None:
            printed = tokens.issue(user_id, admin=admin, ttl_seconds=seconds, channels=channels)
        else:
            printed = tokens.issue_to_service(service or "", ttl_seconds=seconds)
        click.echo(printed)


@main.command("seed")
@click.option("--screenings", type=click.IntRange(1, 1_000_000), required=True, help="Number of screenings.")
@click.option("--rows", type=click.IntRange(1, 1000), required=True, help="Rows per hall.")
@click.option("--seats-per-row", type=click.IntRange(1, 1000), required=True, help="Seats per row.")
@data_dir_option
def seed_command(screenings: int, rows: int, seats_per_row: int, data_dir: Path | None) -> None:
    """Create future screenings for load tests.

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

    with short_errors():
        made = with_database(load_settings(data_dir=data_dir), fill)
    click.echo(json.dumps({"screenings": made}))


@main.command("import-movies")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_dir_option
def import_movies_command(file: Path, data_dir: Path | None) -> None:
    """Import movies from FILE, a JSON array like movies.json of the npm package vega-datasets.

    Movies that were imported before are updated. Invalid rows are skipped and reported on standard error with
    their numbers, counted from 1. Prints one JSON document on standard output:
    {"rows": …, "created": …, "changed": …, "unchanged": …, "skipped": …}.
    """

    async def fill(connector: Connector) -> list[BatchReport]:
        movies, batches = Movies(connector), list[BatchReport]()
        with click.progressbar(length=len(rows), label="Movies", file=sys.stderr) as progress:
            async for batch in import_movies(movies, rows, datetime.now(UTC).date()):
                batches.append(batch)
                progress.update(batch.row_count)
        return batches

    with short_errors():
        content = file.read_bytes()
        try:
            rows = orjson.loads(content.decode(json.detect_encoding(content)))
        except ValueError as exc:
            raise ValueError(f"{file} is not JSON: {exc}") from exc
        if not isinstance(rows, list):
            raise ValueError(f"{file} is not a JSON array")
        batches = with_database(load_settings(data_dir=data_dir), fill)
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
@data_dir_option
def migrate_command(data_dir: Path | None) -> None:
    """Migrate the database to the current schema.

    Safe to run repeatedly and beside a running server.
    """
    with short_errors(), opened_database(load_settings(data_dir=data_dir)) as url:
        applied = migrate(url)
    click.echo("\n".join(f"applied {name}" for name in applied) or "the database is up to date")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_dir_option
def backup(file: Path, data_dir: Path | None) -> None:
    """Write the database and the secrets of its tickets to FILE.

    A running server is no obstacle: the backup is a single snapshot of the database. FILE must not exist.
    Only its owner can read it; keep it safe, since its secrets are enough to read personal data and sign
    tickets.
    """
    with short_errors():
        settings = load_settings(data_dir=data_dir)
        with opened_database(settings) as url:
            back_up(settings, url, file, partial(click.echo, err=True))
    click.echo(f"backed up to {file}")


@main.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_dir_option
def restore_command(file: Path, data_dir: Path | None) -> None:
    """Restore the backup FILE into an empty database.

    No server may be running on it. The database is migrated to the current schema; secrets that no setting
    provides are stored in the data directory.
    """
    with short_errors(), opened_backup(file) as backup:
        settings = load_settings(data_dir=data_dir)
        with DataDirectory(settings.data_dir).locked(), opened_database(settings) as url:
            to_do = asyncio.run(backup.restore(settings, url, partial(click.echo, err=True)))
    for sentence in to_do:
        click.echo(f"note: {sentence}", err=True)
    click.echo(f"restored from {file}")


@main.command()
@data_dir_option
def check(data_dir: Path | None) -> None:
    """Check the settings and the database, with advice. Exit status 1 if something is wrong.

    Changes and starts nothing: an embedded PostgreSQL is only checked while it is running.
    """
    with short_errors():
        findings = asyncio.run(advice(load_settings(data_dir=data_dir)))
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'FAIL' if finding.fatal else 'note'}  {finding.text}")
    if any(finding.fatal for finding in findings):
        sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per node.")
@data_dir_option
def nodes(as_json: bool, data_dir: Path | None) -> None:
    """List the nodes of the cluster, one a line.

    Asks over NATS: FRONTROW_NATS_URL, or the embedded NATS server of workers in the data directory.
    """
    listing = import_module("frontrow.nodes")  # imports the NATS client, which other commands do not need
    with short_errors():
        found = asyncio.run(listing.list_nodes(load_settings(data_dir=data_dir)))
    if as_json:
        click.echo(json.dumps([listing.as_json(node) for node in found]))
    else:
        click.echo("\n".join(listing.as_lines(found)))


@main.command()
@click.argument("node")
@data_dir_option
def drain(node: str, data_dir: Path | None) -> None:
    """Let the other nodes take over everything from NODE, a name or a mark, and wait until they have.

    The node goes on answering requests and sockets, but owns no screenings until it is started again. Asks
    over NATS, like `frontrow nodes`.
    """
    listing = import_module("frontrow.nodes")
    with short_errors():
        settings = load_settings(data_dir=data_dir)
        asyncio.run(listing.drain_node(settings, node, partial(click.echo, err=True)))
    click.echo(f"{node} owns no screenings")


main.add_command(outbox)
main.add_command(log_group)
main.add_command(verify)


@main.command("bench", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench_command(arguments: tuple[str, ...]) -> None:
    """Measure the server beside others on this machine; needs a checkout."""
    try:
        # The wheel does not contain the benchmarks, so they are imported only here.
        harness = import_module("bench.command")
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"{exc.name} is missing: frontrow bench needs a checkout and its environment (make install)"
        ) from exc
    harness.bench.main(arguments, prog_name="frontrow bench")
