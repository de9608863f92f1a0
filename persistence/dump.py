"""Dumps and restores a database with the pg_dump and pg_restore of the embedded PostgreSQL.

A dump is a single snapshot, so it can be taken while a server sells. PostgreSQL restores dumps of older
versions and pg_dump reads older servers, so a dump also moves data to a new major version.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

from persistence.connector import url_and_password
from persistence.embedded import BINARIES

_WITHOUT_OWNERSHIP = ("--no-owner", "--no-privileges", "--no-comments")
"""Owners and privileges are not dumped: they are set up on the server that the dump is restored to."""

_PREAMBLE_LINES = 40
_UNKNOWN_BEFORE_17 = b"SET transaction_timeout"
_COPY = b"COPY public."


class DumpFailed(Exception):
    """The database could not be dumped or restored; the message says why."""


def dump(database_url: str, file: Path) -> None:
    """Dump a database to a file. Blocking.

    Args:
        database_url: the database itself, without a pooler.
        file: is overwritten.

    Raises:
        DumpFailed: pg_dump failed.
    """
    options, environment = _connection(database_url)
    command = [_program("pg_dump"), "--format=custom", *_WITHOUT_OWNERSHIP, f"--file={file}", *options]
    finished = subprocess.run(command, env=environment, capture_output=True)  # noqa: S603 - our own binary
    if finished.returncode:
        raise DumpFailed(f"pg_dump failed: {_first_line(finished.stderr)}")


def restore(database_url: str, file: Path, restoring: Callable[[str], None]) -> None:
    """Restore a dump into an empty database, completely or not at all. Blocking.

    Args:
        database_url: the database itself, without a pooler.
        file: a file written by `dump`.
        restoring: called with the name of each table before its rows are restored.

    Raises:
        DumpFailed: the restore failed and was rolled back.
    """
    options, environment = _connection(database_url)
    reading = [_program("pg_restore"), *_WITHOUT_OWNERSHIP, "--file=-", str(file)]
    writing = [_program("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    # Standard error goes to files: nothing reads it until the end, and a full pipe would block the programs.
    with (
        TemporaryFile() as source_errors,
        TemporaryFile() as target_errors,
        subprocess.Popen(reading, stdout=subprocess.PIPE, stderr=source_errors) as source,  # noqa: S603
        subprocess.Popen(  # noqa: S603 - our own binary
            [*writing, "--output=/dev/null", *options],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=target_errors,
        ) as target,
    ):
        statements = cast(IO[bytes], target.stdin)
        try:
            _copy_statements(cast(IO[bytes], source.stdout), statements, restoring)
            if source.wait():
                # Kill psql, which would commit what it has so far at the end of its input.
                target.kill()
                raise DumpFailed(f"pg_restore failed: {_first_line(_content(source_errors))}")
            statements.close()
        except BrokenPipeError:  # psql has failed; its standard error says why
            source.kill()
            with suppress(BrokenPipeError):
                statements.close()
        if target.wait():
            raise DumpFailed(f"psql failed: {_first_line(_content(target_errors))}")


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _copy_statements(statements: IO[bytes], target: IO[bytes], restoring: Callable[[str], None]) -> None:
    for number, line in enumerate(statements, 1):
        if number <= _PREAMBLE_LINES and line.startswith(_UNKNOWN_BEFORE_17):
            continue
        if line.startswith(_COPY):
            restoring(line.removeprefix(_COPY).split(b" ")[0].decode())
        target.write(line)


def _connection(database_url: str) -> tuple[list[str], dict[str, str]]:
    """Return options and environment. The password goes into the environment, since arguments are public."""
    url, password = url_and_password(database_url)
    environment = dict(os.environ)
    if password is not None:
        environment["PGPASSWORD"] = password
    return [f"--dbname={url}", "--no-password"], environment


def _program(name: str) -> str:
    return str(BINARIES / name)


def _first_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "no error message"
