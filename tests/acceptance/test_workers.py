"""`frontrow serve --workers 2`: processes on one port that are restarted, replaced and ended in order."""

import asyncio
import json
import os
import re
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tornado.testing import bind_unused_port

from cluster.nats_server import NatsServer, url_of
from tests.acceptance.figures import Figures
from tests.acceptance.server_process import ServerProcess
from tests.database import temporary_data_directory

SECONDS = 60.0
GRACE_SECONDS = 60.0
GOING_AWAY = 1001
KEY_REFUSED = "The HMAC key is 5 bytes long"

pytestmark = pytest.mark.gen_test(timeout=510)


def workers_on(data_directory: Path, count: int = 2, **settings: object) -> ServerProcess:
    return ServerProcess(data_directory, workers=count, **settings)


async def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until a condition about other processes holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - other processes do not set events
            await asyncio.sleep(0.02)


def state_of(pid: int) -> str:
    """The state of a process as a letter, such as "T" if it is stopped; "Z" also if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def lives(pid: int) -> bool:
    return state_of(pid) != "Z"


def has_pending(pid: int, number: signal.Signals) -> bool:
    """Return whether a stopped process has been sent a signal."""
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(pending, 16) >> number - 1 & 1)


def nats_pid(data_directory: Path) -> int:
    """The process id of the embedded NATS server when it is ready; 0 if there is none."""
    for path in (data_directory / "nats").glob("*.ports"):
        return int(path.stem.removeprefix("nats-server_"))
    return 0


def lines(server: ServerProcess, message: str) -> list[dict[str, Any]]:
    """The server's log lines with a message."""
    log = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    return [line for line in log if line["message"] == message]


async def ready_again(server: ServerProcess, *, without: int) -> None:
    """Wait until all workers are ready, the process `without` not being one of them."""
    ready = len(lines(server, "a worker is ready"))
    await until(lambda: without not in server.worker_pids)
    await until(lambda: len(lines(server, "a worker is ready")) > ready)


@asynccontextmanager
async def new_connections(
    server: ServerProcess, *, keep_alive: bool = False
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that opens a connection for every request, unless they are kept alive."""
    connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(server.url, connector=connector, timeout=timeout) as session:
        yield session


async def metric(
    session: aiohttp.ClientSession, name: str, url: str = "/metrics", **labels: str
) -> dict[int, float]:
    """The value of a metric by worker; samples with other labels are added."""
    values: dict[int, float] = {}
    async with session.get(url) as answer:
        if answer.status == 503:  # the machine is too busy to collect them in time
            return values
        assert answer.status == 200
        for family in text_string_to_metric_families(await answer.text()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    worker = int(sample.labels["worker"])
                    values[worker] = values.get(worker, 0) + sample.value
    return values


async def until_metric(
    condition: Callable[[dict[int, float]], bool],
    session: aiohttp.ClientSession,
    name: str,
    url: str = "/metrics",
    **labels: str,
) -> dict[int, float]:
    """Wait until a metric is as expected; the page is without workers that do not answer in time."""
    found: dict[int, float] = {}
    try:
        async with asyncio.timeout(SECONDS):
            while not condition(found := await metric(session, name, url, **labels)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{name} is {found}") from None
    return found


BOTH_UP = {1: 1, 2: 1}.__eq__


async def test_all_workers_answer_on_one_port(data_directory: Path) -> None:
    async with workers_on(data_directory) as server, new_connections(server) as session:
        assert len(server.worker_pids) == 2
        answered: dict[int, float] = {}
        async with asyncio.timeout(SECONDS):
            while len(answered) < 2:
                await asyncio.gather(*(_healthy(session) for _ in range(20)))
                answered = await metric(session, "frontrow_http_requests_total", route="/healthz")
        await until_metric(BOTH_UP, session, "frontrow_worker_up")
        assert {line["worker"] for line in lines(server, "request")} == {1, 2}
        nodes = {(line["worker"], line["node"], line["mark"]) for line in lines(server, "request")}
        assert len(nodes) == len({mark for _, _, mark in nodes}) == len({name for _, name, _ in nodes}) == 2
        await until_metric({1: 2, 2: 2}.__eq__, session, "frontrow_cluster_nodes", state="serving")
        await until_metric({1: 1, 2: 1}.__eq__, session, "frontrow_nats_connected")
        await until_metric(
            lambda leases: len(leases) == 2 and min(leases.values()) > 0, session, "frontrow_lease_seconds"
        )
        said = await server.refusal("serve", "--port", "0")
        assert f"in use by another server (process {server.pid})" in said


async def test_all_workers_serve_the_demo_and_the_metrics_port(data_directory: Path) -> None:
    with bind_unused_port()[0] as unused:
        port = unused.getsockname()[1]
    server = workers_on(data_directory, metrics_port=port)
    try:
        await server.start("--demo")
        said = await server.said("'Content-Type: application/json'")
        assert f"metrics are on http://127.0.0.1:{port}/metrics" in said
        async with new_connections(server) as session:
            for _ in range(10):
                async with session.get("/health", headers={"Origin": "null"}) as answer:
                    assert answer.headers["Access-Control-Allow-Origin"] == "null"
            async with session.get("/metrics") as answer:
                assert answer.status == 403
            for _ in range(10):
                await until_metric(BOTH_UP, session, "frontrow_worker_up", f"http://127.0.0.1:{port}/metrics")
        assert (await server.terminate()).code == 0
    finally:
        await server.remove()


async def test_metrics_are_not_collected_for_too_many_at_once(
    data_directory: Path, database_url: str
) -> None:
    """The supervisor is frozen: requests for the metrics are refused in time, and everything else works."""
    async with (
        workers_on(data_directory, database_url=database_url) as server,
        new_connections(server) as session,
    ):
        server.freeze()

        async def status() -> int:
            async with session.get("/metrics") as answer:
                return answer.status

        assert set(await asyncio.gather(*(status() for _ in range(200)))) == {503}
        await _healthy(session)
        server.thaw()
        await until_metric(BOTH_UP, session, "frontrow_worker_up")


async def test_a_killed_worker_comes_back_and_the_other_keeps_its_connections(
    data_directory: Path, database_url: str, figures: Figures
) -> None:
    async with (
        workers_on(data_directory, database_url=database_url) as server,
        new_connections(server) as session,
    ):
        sockets = await _connected(server, session, 16)
        closed = [asyncio.create_task(_closed(socket)) for socket in sockets]
        # A socket is counted once the worker that counts the sockets of its user has admitted it.
        open_before = await until_metric(
            lambda opened: sum(opened.values()) == len(sockets), session, "frontrow_sockets_open"
        )
        victim = server.worker_pids[0]
        (number,) = {line["worker"] for line in lines(server, "a worker is ready") if line["pid"] == victim}

        os.kill(victim, signal.SIGKILL)
        await ready_again(server, without=victim)
        await until(lambda: sum(task.done() for task in closed) == open_before.get(number, 0))
        await until_metric(
            lambda opened: opened.get(3 - number, 0) == open_before.get(3 - number, 0),
            session,
            "frontrow_sockets_open",
        )
        await until_metric({number: 1, 3 - number: 0}.__eq__, session, "frontrow_worker_exits_total")
        (line,) = lines(server, "a worker has ended unexpectedly")
        assert (line["worker"], line["pid"], line["ended"]) == (number, victim, "signal SIGKILL")
        figures(seconds_until_ready=lines(server, "a worker is ready")[-1]["seconds"])
        for socket in sockets:
            await socket.close()
        await asyncio.gather(*closed)


async def test_a_worker_that_fails_again_and_again_is_reported_and_recovers(
    data_directory: Path, database_url: str
) -> None:
    async with (
        workers_on(data_directory, database_url=database_url) as server,
        new_connections(server) as session,
    ):
        secret_file = data_directory / "jwt-secret"
        secret = secret_file.read_text()
        secret_file.write_text("short")
        os.kill(server.worker_pids[0], signal.SIGKILL)
        await until(lambda: len(lines(server, "a worker has ended unexpectedly")) == 4)
        await _healthy(session)
        ends = lines(server, "a worker has ended unexpectedly")
        delays = [line["restart_in_seconds"] for line in ends]
        assert delays == [0.2, 0.4, 0.8, 1.6]
        assert len({line["pid"] for line in ends}) == 4
        assert ends[-1]["ended"].startswith(KEY_REFUSED) and ends[-1]["ended"].endswith("(exit status 1)")

        ready = len(lines(server, "a worker is ready"))
        secret_file.write_text(secret)
        await until(lambda: len(lines(server, "a worker is ready")) == ready + 1)
        await until_metric(BOTH_UP, session, "frontrow_worker_up")


async def test_a_supervisor_that_cannot_open_files_for_a_while_recovers(data_directory: Path) -> None:
    async with workers_on(data_directory) as server:
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, hard))
        os.kill(server.worker_pids[0], signal.SIGKILL)
        await until(lambda: len(lines(server, "a worker has ended unexpectedly")) == 3)
        assert (
            lines(server, "a worker has ended unexpectedly")[-1]["ended"] == "[Errno 24] Too many open files"
        )
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: len(lines(server, "a worker is ready")) == 3)
        assert len(server.worker_pids) == 2
        server.database.kill()
        await server.database.running(SECONDS)
        assert (await server.terminate()).code == 0


async def test_a_worker_that_cannot_start_ends_the_start_with_its_error(data_directory: Path) -> None:
    (data_directory / "jwt-secret").write_text("short")
    said = await workers_on(data_directory).refusal("serve", "--port", "0")
    sentence = said.strip().splitlines()[-1]
    assert sentence.startswith("Error: Worker ") and f"did not start: {KEY_REFUSED}" in sentence
    assert "Traceback" not in said


@pytest.mark.parametrize("keep_alive", [False, True])
async def test_a_reload_under_load_fails_no_request(
    data_directory: Path, database_url: str, figures: Figures, keep_alive: bool
) -> None:
    async with (
        workers_on(data_directory, database_url=database_url) as server,
        new_connections(server, keep_alive=keep_alive) as session,
    ):
        before = server.worker_pids
        stop = asyncio.Event()
        crowd = [asyncio.create_task(_reads(session, stop)) for _ in range(6)]
        server.signal(signal.SIGHUP)
        await until(lambda: lines(server, "all workers have been replaced"))
        stop.set()
        answered = sum(await asyncio.gather(*crowd))
        assert set(before).isdisjoint(server.worker_pids)
        assert len(server.worker_pids) == 2
        # The counts of the replaced workers are not lost.
        assert answered > 50
        await until_metric(
            lambda counted: sum(counted.values()) == answered,
            session,
            "frontrow_http_requests_total",
            route="/api/v1/movies/",
        )
        figures(requests=answered, failed=0)


async def test_a_reload_keeps_the_old_workers_if_the_new_ones_do_not_start(
    data_directory: Path, database_url: str
) -> None:
    async with (
        workers_on(data_directory, database_url=database_url) as server,
        new_connections(server) as session,
    ):
        before = server.worker_pids
        (data_directory / "jwt-secret").write_text("short")
        server.signal(signal.SIGHUP)
        await until(lambda: lines(server, "the workers that have not been replaced yet continue"))
        assert server.worker_pids == before
        await _healthy(session)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_workers_in_order(data_directory: Path, number: signal.Signals) -> None:
    async with workers_on(data_directory) as server, new_connections(server) as session:
        workers = server.worker_pids
        sockets = await _connected(server, session, 8)
        closed = [asyncio.create_task(_closed(socket)) for socket in sockets]
        async with asyncio.timeout(GRACE_SECONDS):
            server.signal(number)
            assert await server.ended() == 0
        assert await asyncio.gather(*closed) == [GOING_AWAY] * 8
        assert not any(map(lives, workers))
        assert not server.database.is_running
        ended = lines(server, "a worker has ended")
        assert [line["ended"] for line in ended] == ["exit status 0"] * 2
        (last,) = lines(server, "the server has stopped")
        assert last["reason"] == number.name


async def test_a_second_signal_ends_everything_immediately(data_directory: Path, database_url: str) -> None:
    async with workers_on(data_directory, database_url=database_url) as server:
        workers = server.worker_pids
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        # A process that has yet to stop would take the next signal first.
        await until(lambda: all(state_of(pid) == "T" for pid in workers))
        server.signal(signal.SIGTERM)
        # The supervisor has acted on the first signal; two that wait are one.
        await until(lambda: all(has_pending(pid, signal.SIGTERM) for pid in workers))
        server.signal(signal.SIGTERM)
        assert await server.ended() == -signal.SIGTERM
        await until(lambda: not any(map(lives, workers)))


async def test_workers_end_with_a_killed_supervisor_and_their_port_becomes_free(
    data_directory: Path,
    database_url: str,
) -> None:
    async with workers_on(data_directory, database_url=database_url) as server:
        workers = server.worker_pids
        server.signal(signal.SIGKILL)
        await server.ended()
        await until(lambda: not any(map(lives, workers)), GRACE_SECONDS)
        assert len(lines(server, "the supervisor has ended, so this worker stops")) == 2
        await server.start()


async def test_a_frozen_worker_delays_no_metrics_and_is_killed_at_the_end(
    data_directory: Path, database_url: str
) -> None:
    async with (
        workers_on(data_directory, database_url=database_url, stop_seconds=2) as server,
        new_connections(server) as session,
    ):
        frozen, other = server.worker_pids
        os.kill(frozen, signal.SIGSTOP)
        # Only the other worker accepts connections now.
        await until_metric(lambda up: sorted(up.values()) == [0, 1], session, "frontrow_worker_up")
        server.signal(signal.SIGTERM)
        assert await server.ended() == 1
        assert not lives(frozen) and not lives(other)
        assert "did not end in time and were killed" in server.log()


async def test_nats_runs_beside_the_workers_and_ends_with_them(
    data_directory: Path, database_url: str
) -> None:
    async with workers_on(data_directory, database_url=database_url) as server:
        url = url_of(data_directory)
        assert url is not None
        killed = nats_pid(data_directory)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: nats_pid(data_directory) not in (0, killed))
        assert url_of(data_directory) == url
        assert len(lines(server, "a worker is ready")) == 2

        restarted = nats_pid(data_directory)
        assert (await server.terminate()).code == 0
        assert not lives(restarted)
        assert url_of(data_directory) is None
        await server.start()
        orphan = nats_pid(data_directory)
        await server.kill()
        await until(lambda: not lives(orphan), GRACE_SECONDS)


async def test_an_operators_nats_is_used_instead_of_an_own_one(
    data_directory: Path, database_url: str, nats_server: NatsServer
) -> None:
    async with workers_on(data_directory, database_url=database_url, nats_url=nats_server.url):
        assert url_of(data_directory) is None and nats_pid(data_directory) == 0


async def test_restarts_and_reloads_leak_no_descriptors(data_directory: Path, database_url: str) -> None:
    async with (
        workers_on(data_directory, database_url=database_url) as server,
        new_connections(server) as session,
    ):
        await _replaced(server, 1)
        await _healthy(session)
        before = len(os.listdir(f"/proc/{server.pid}/fd"))
        for _ in range(2):
            victim = server.worker_pids[0]
            os.kill(victim, signal.SIGKILL)
            await ready_again(server, without=victim)
        await _replaced(server, 2)
        assert len(os.listdir(f"/proc/{server.pid}/fd")) == before


async def test_a_single_server_and_workers_keep_each_other_out(
    data_directory: Path, database_url: str
) -> None:
    with temporary_data_directory() as second, temporary_data_directory() as third:
        async with workers_on(data_directory, database_url=database_url) as server:
            said = await ServerProcess(second, database_url=database_url).refusal("serve", "--port", "0")
            assert f"served by a cluster with process {server.pid} on " in said
            # Another machine's workers need the same NATS servers, and not embedded ones of their own.
            said = await workers_on(third, database_url=database_url).refusal("serve", "--port", "0")
            assert "which these NATS servers do not reach; give all nodes the same FRONTROW_NATS_URL" in said
        async with ServerProcess(second, database_url=database_url) as single:
            said = await workers_on(third, database_url=database_url).refusal("serve", "--port", "0")
            assert f"served by process {single.pid} on " in said


async def test_many_workers_have_enough_connections(data_directory: Path) -> None:
    """The embedded PostgreSQL was started for a single process, which has been killed."""
    async with ServerProcess(data_directory) as single:
        await single.kill()
        async with workers_on(data_directory, 4) as server:
            assert len(server.worker_pids) == 4
            assert "too many clients" not in server.log()
            await server.terminate()


async def test_several_workers_are_refused_where_they_make_no_sense(data_directory: Path) -> None:
    standby = ServerProcess(data_directory, database_url="postgresql://localhost/frontrow", workers=2)
    assert "--standby is for a single process" in await standby.refusal("serve", "--standby")


async def test_a_single_process_ignores_sighup(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server, new_connections(server) as session:
        server.signal(signal.SIGHUP)
        await until(lambda: "there is nothing to replace" in server.log())
        await _healthy(session)


async def _healthy(session: aiohttp.ClientSession) -> None:
    async with session.get("/healthz") as answer:
        assert answer.status == 200


async def _reads(session: aiohttp.ClientSession, stop: asyncio.Event) -> int:
    """Read until told to stop. Returns the number of requests."""
    answered = 0
    while not stop.is_set():
        async with session.get("/api/v1/movies") as answer:
            assert answer.status == 200
            await answer.read()
        answered += 1
        await asyncio.sleep(0.005)
    return answered


async def _connected(
    server: ServerProcess, session: aiohttp.ClientSession, count: int
) -> list[aiohttp.ClientWebSocketResponse]:
    """Open sockets of as many users."""
    return [await session.ws_connect(f"/ws?token={server.token(user_id)}") for user_id in range(1, count + 1)]


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Wait until a socket is closed. Returns the close code."""
    async for _ in socket:
        pass
    return socket.close_code


async def _replaced(server: ServerProcess, times: int) -> None:
    """Reload, and wait for the end of it, which is the server's n-th."""
    server.signal(signal.SIGHUP)
    await until(lambda: len(lines(server, "all workers have been replaced")) == times)
