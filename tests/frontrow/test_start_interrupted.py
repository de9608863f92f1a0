"""A server whose database goes away while it starts says so in one sentence, at whichever moment that is.

The servers run in this process, one after the other: only that makes so many starts cheap.
"""

import asyncio
import gc
import logging
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from frontrow.expected_errors import sentence_for
from frontrow.serving import serve
from frontrow.settings import load_settings
from tests.relay import Circuit, Relay, Stream

PASSWORD = "between-us-only"


class MortalDatabase(Relay):
    """Leads to a PostgreSQL that dies when it gets a certain message, of whichever connection.

    Args:
        path: socket of the PostgreSQL.
        name: of the database.

    Attributes:
        port: where it listens.
        heard: number of messages so far.
    """

    def __init__(self, path: str, name: str) -> None:
        super().__init__()
        self._path = path
        self._dies_at = 0
        self.heard = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result()
        self.url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def revive(self, *, dies_at: int) -> None:
        """Answer again, up to the message with this number."""
        self.heard, self._dies_at, self.admitting = 0, dies_at, True

    def end(self) -> None:
        """Stop, from outside its thread."""
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def connect(self) -> Stream:
        return await asyncio.open_unix_connection(self._path)

    def passes(self, circuit: Circuit, chunk: bytes, *, to_server: bool) -> bool:
        if to_server:
            self.heard += 1
            if self.heard == self._dies_at:
                self.admitting = False
                self.cut()
                return False
        return super().passes(circuit, chunk, to_server=to_server)


@pytest.fixture
def as_before() -> Iterator[None]:
    """Undo the changes that a start makes in this process."""
    thresholds, handlers, level = gc.get_threshold(), logging.root.handlers[:], logging.root.level
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def database(database_url: str) -> Iterator[MortalDatabase]:
    target = parse_dsn(database_url)
    mortal = MortalDatabase(f"{target['host']}/.s.PGSQL.5432", target["dbname"])
    yield mortal
    mortal.end()


def start(database: MortalDatabase, directory: Path, *, dies_at: int) -> str:
    """Start a server. Returns its error, or "started"; then it has been stopped."""
    database.revive(dies_at=dies_at)
    started: list[int] = []

    def announce(_: str) -> None:
        if not started:
            started.append(database.heard)
            signal.raise_signal(signal.SIGTERM)

    settings = load_settings(port=0, data_dir=directory, database_url=database.url, stop_seconds=1.0)
    try:
        serve(settings, demo=False, standby=False, announce=announce)
    except Exception as exc:
        assert not started
        return sentence_for(exc) or f"a defect: {exc!r}"
    return f"started after {started[0]}"


def interrupt(database: MortalDatabase, directory: Path, step: int) -> None:
    """Let the database die at every `step`-th message of a start."""
    _, _, messages = start(database, directory, dies_at=0).rpartition(" ")
    port = database.port
    sentences = (
        rf"The database at 127\.0\.0\.1:{port} (cannot be reached|went away)[^:]*: .+",
        rf'The database could not be migrated: connection to server at "127\.0\.0\.1", port {port} .+',
        "started after .+",
    )
    for number in range(1, int(messages), step):
        said = start(database, directory, dies_at=number)
        assert any(re.fullmatch(sentence, said) for sentence in sentences), (number, said)
        assert PASSWORD not in said


@pytest.mark.usefixtures("as_before")
def test_it_is_said_in_one_sentence(
    database: MortalDatabase, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    interrupt(database, tmp_path, 7)
    logged = capfd.readouterr().err
    assert "Traceback" not in logged
    assert PASSWORD not in logged


@pytest.mark.soak
@pytest.mark.usefixtures("as_before")
def test_it_is_said_at_every_moment(database: MortalDatabase, tmp_path: Path) -> None:
    interrupt(database, tmp_path, 1)
