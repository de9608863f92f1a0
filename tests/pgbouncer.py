"""Runs a real PgBouncer in front of a test's PostgreSQL."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from persistence.embedded import ROOT_STAND_IN
from tests.debian import program

_START_SECONDS = 60.0


@contextmanager
def pgbouncer(database_url: str, mode: str, pool_size: int = 4) -> Iterator[str]:
    """Run a PgBouncer for a database.

    Args:
        database_url: the database, reached through a Unix socket.
        mode: `transaction` or `session`.
        pool_size: connections to PostgreSQL that its clients share.

    Yields:
        The URL of the database through PgBouncer.
    """
    target = urlsplit(database_url)
    socket_directory = parse_qs(target.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="frontrow-pgbouncer-") as folder:
        configuration, log = Path(folder) / "pgbouncer.ini", Path(folder) / "pgbouncer.log"
        configuration.write_text(
            f"[databases]\n* = host={socket_directory} user=postgres\n"
            f"[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}\n"
            f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {pool_size}\n"
        )
        Path(folder).chmod(0o777)  # tests run by root run it as another user
        identity = (
            {"user": ROOT_STAND_IN, "group": ROOT_STAND_IN, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own configuration
                [program("pgbouncer"), configuration], stdout=output, stderr=output, **identity
            )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not (Path(folder) / ".s.PGSQL.6432").exists():
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield f"postgresql://postgres@{target.path}?host={quote(folder, safe='')}&port=6432"
        finally:
            process.kill()
            process.wait()
