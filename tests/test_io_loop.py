"""The event loop fixture works for plain coroutines and for servers on real ports."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
import uvloop
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler


class Greeting(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("welcome")


@pytest.fixture
def app() -> Application:
    return Application([("/", Greeting)])


@pytest.mark.gen_test
async def test_a_coroutine_runs_on_the_loop_of_the_fixture(io_loop: IOLoop) -> None:
    assert IOLoop.current() is io_loop


@pytest.mark.gen_test
@pytest.mark.parametrize("io_loop", [uvloop.new_event_loop], indirect=True)
async def test_a_test_can_choose_its_event_loop(io_loop: IOLoop) -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


@pytest.mark.gen_test
async def test_a_server_answers_on_its_port(http_client: AsyncHTTPClient, base_url: str) -> None:
    answer = await http_client.fetch(base_url)
    assert (answer.code, answer.body) == (200, b"welcome")


@pytest.fixture
def left_over() -> Iterator[list[asyncio.Task[None]]]:
    """Tasks that a test leaves running; they must have been cancelled once its event loop is closed."""
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    assert [task.cancelled() for task in tasks] == [True]


@pytest.mark.gen_test
async def test_a_task_left_running_is_cancelled(left_over: list[asyncio.Task[None]], io_loop: IOLoop) -> None:
    left_over.append(asyncio.create_task(asyncio.sleep(3600)))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A listening socket and one of a client, which stay open until the event loop is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        yield listening, client


@pytest.fixture
def accepted() -> Iterator[list[asyncio.StreamWriter]]:
    """Connections of a test's server; they must have been closed together with its event loop."""
    writers: list[asyncio.StreamWriter] = []
    yield writers
    assert [writer.get_extra_info("socket").fileno() for writer in writers] == [-1]


@pytest.mark.gen_test
@pytest.mark.parametrize("turns", range(14))
async def test_a_connection_that_comes_as_the_test_ends_is_closed(
    ends: tuple[socket.socket, socket.socket],
    accepted: list[asyncio.StreamWriter],
    io_loop: IOLoop,
    turns: int,
) -> None:
    listening, client = ends

    def connect(in_turns: int) -> None:
        if in_turns:
            io_loop.add_callback(connect, in_turns - 1)
        else:
            client.connect(listening.getsockname())

    await asyncio.start_server(lambda _, writer: accepted.append(writer), sock=listening)
    connect(turns)
