"""The Locust file stands alone, works against any server, and says what is missing."""

import ast
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tornado.ioloop import IOLoop

from tests.database import execute
from tests.house import House
from tests.web.demo_house import FIRST_USER, PASSWORD, DemoHouse

pytestmark = pytest.mark.gen_test

Event = Callable[[], bool]


class Run(NamedTuple):
    """Result of a run of Locust: its exit status, its statistics as JSON, and its messages."""

    status: int
    printed: str
    said: str


LOCUSTFILE = Path(__file__).parents[2] / "bench" / "locustfile.py"


@pytest.fixture
def demo(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[DemoHouse]:
    """The real server with what the demo has."""
    demo = DemoHouse(database_url, tmp_path / "data")
    io_loop.run_sync(demo.open)
    yield demo
    io_loop.run_sync(demo.close)


async def locust(folder: Path, *options: str, until: Event | None = None, **variables: str) -> Run:
    """Run Locust until something has happened, or until it ends by itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRONTROW_")}
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("locust"), "-f", LOCUSTFILE, "--headless", "--json"),
        *("--users", "5", "--spawn-rate", "5", "--run-time", "100s", *options),
        cwd=folder,
        env=kept | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ended = asyncio.ensure_future(process.communicate())
    while until is not None and not ended.done() and not until():
        await asyncio.wait([ended], timeout=0.1)
    if not ended.done() and until is not None:
        process.terminate()
    printed, said = await ended
    assert process.returncode is not None
    return Run(process.returncode, printed.decode(), said.decode())


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(LOCUSTFILE.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, "locust"}


async def test_guests_and_users_visit_a_demo(demo: DemoHouse, tmp_path: Path) -> None:
    account = {"FRONTROW_EMAIL": FIRST_USER, "FRONTROW_PASSWORD": PASSWORD}
    tokens = {"FRONTROW_TOKEN": f"{demo.token(7)}, {demo.token(8)}", "FRONTROW_SCREENINGS": "1, 2"}
    wanted = 0

    def reserved() -> bool:
        """Return whether seats were reserved since the last run."""
        return execute(demo.database_url, "SELECT count(*) FROM holds")[0][0] > wanted

    for variables, has_guests in (({}, True), (account, False), (tokens, False)):
        status, printed, said = await locust(tmp_path, "--host", demo.base_url, until=reserved, **variables)
        wanted = execute(demo.database_url, "SELECT count(*) FROM holds")[0][0]
        assert status == 0, said
        statistics = {entry["name"]: entry for entry in json.loads(printed)}
        assert sum(entry["num_failures"] for entry in statistics.values()) == 0, said
        assert sum(entry["num_requests"] for entry in statistics.values()) > 0
        assert ("new guest" in statistics) is has_guests
        assert statistics.keys() & {"look", "reserve best", "click"}


@asynccontextmanager
async def something_else() -> AsyncIterator[str]:
    """A web server that is none of ours."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<welcome>")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_it_says_what_is_missing(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path / "data")
    await house.open()
    here = ("--host", house.base_url)
    try:
        async with something_else() as elsewhere:
            for options, variables, words in (
                ((), {}, "name the server with --host"),
                (("--host", elsewhere), {}, "does not look like a Frontrow server"),
                (here, {}, "the server has no screenings that can be visited: create some"),
                (here, {"FRONTROW_SCREENINGS": "one"}, "FRONTROW_SCREENINGS must be numbers"),
                (here, {"FRONTROW_SCREENINGS": "1", "FRONTROW_EMAIL": "ada@home.example"}, "belong together"),
                (
                    here,
                    {"FRONTROW_SCREENINGS": "1", "FRONTROW_EMAIL": FIRST_USER, "FRONTROW_PASSWORD": "wrong"},
                    "/api/v1/auth/login was refused with 401",
                ),
            ):
                status, _, said = await locust(tmp_path, *options, **variables)
                assert status == 1, said
                assert f"locustfile: {words}" in said or words in said
                assert "Traceback" not in said
    finally:
        await house.close()
