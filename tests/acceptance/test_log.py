"""Log lines about a server's start and stop, and about its sockets."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from frontrow import __version__
from tests.acceptance.server_process import ServerProcess

PATIENCE_SECONDS = 60.0
Line = dict[str, Any]


class Log:
    """The lines that a server has logged."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server

    @property
    def text(self) -> str:
        return self._server.log()

    def lines(self, message: str) -> list[Line]:
        """Return the lines with this message."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["message"] == message]

    async def line(self, message: str, request_id: str) -> Line:
        """Wait for the one line with this message about a request, and return it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (  # noqa: ASYNC110 - a file sends no notifications
                found := [one for one in self.lines(message) if one.get("request_id") == request_id]
            ):
                await asyncio.sleep(0.02)
        (line,) = found
        return line


def shown(line: Line, *names: str) -> list[Any]:
    return [line[name] for name in names]


@pytest.mark.gen_test(timeout=510)
async def test_starting_and_stopping_are_logged(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server:
        log, pid, url = Log(server), server.pid, server.url
        (started,) = log.lines("the server has started")
        assert shown(started, "version", "address", "node", "pid", "env") == [
            *(__version__, url, socket.gethostname(), pid, "development")
        ]
        assert started["database"] == f"embedded in {data_directory}"
        assert log.lines("the server has stopped") == []
        await server.terminate()
        (stopped,) = log.lines("the server has stopped")
        assert shown(stopped, "version", "reason", "node", "pid") == [
            *(__version__, "SIGTERM", socket.gethostname(), pid)
        ]
        assert stopped["uptime_seconds"] >= started["seconds"] > 0


@pytest.mark.gen_test(timeout=510)
async def test_the_database_is_named_without_its_password(data_directory: Path, database_url: str) -> None:
    url = database_url.replace("postgres@", "postgres:hidden-word@")
    async with ServerProcess(data_directory, database_url=url) as server:
        log = Log(server)
        (started,) = log.lines("the server has started")
        assert started["database"] == url.replace("hidden-word", "***")
        assert "hidden-word" not in log.text


@pytest.mark.gen_test(timeout=510)
async def test_sockets_are_logged_when_opened_refused_and_closed(
    data_directory: Path,
) -> None:
    async with ServerProcess(data_directory) as server, aiohttp.ClientSession() as session:
        log, token = Log(server), server.token(7)

        async def connect(path: str, name: str, **headers: str) -> aiohttp.ClientWebSocketResponse:
            connected = await session.ws_connect(server.url + path, headers={"X-Request-ID": name, **headers})
            assert connected._response.headers["X-Request-ID"] == name
            return connected

        leaver = await connect(f"/ws?token={token}", "leaver")
        for _ in range(3):
            await leaver.send_json({"type": "ping"})
            await leaver.receive_json()
        opened = await log.line("socket opened", "leaver")
        assert shown(opened, "endpoint", "user_id", "address") == ["events", 7, "127.0.0.1"]
        await leaver.close(code=4000, message=f"bye token={token}".encode()[:120])
        closed = await log.line("socket closed", "leaver")
        assert shown(closed, "endpoint", "user_id", "code", "by", "received") == [
            "events",
            7,
            4000,
            "client",
            3,
        ]
        assert closed["reason"].startswith("bye token=[redacted]")
        assert closed["sent"] >= 3
        assert closed["seconds"] > 0

        guest = await connect("/ws/ana", "guest")
        opened = await log.line("socket opened", "guest")
        assert (opened["endpoint"], "user_id" in opened) == ("rooms", False)
        guest._response.connection.transport.abort()
        closed = await log.line("socket closed", "guest")
        assert shown(closed, "code", "by", "received") == [1006, "network", 0]

        for path, name, code, reason in (
            ("/ws?token=mine", "forger", 1008, "Invalid Token"),
            ("/ws", "stranger", 1008, "Authentication Required"),
            (f"/ws/screenings/99?token={token}", "lost", 4404, "Screening not found"),
        ):
            refused = await connect(path, name)
            assert (await refused.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            line = await log.line("socket refused", name)
            assert shown(line, "code", "reason", "address") == [code, reason, "127.0.0.1"]
            assert not [one for one in log.lines("socket opened") if one["request_id"] == name]
        assert (await log.line("socket refused", "lost"))["user_id"] == 7

        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await connect(f"/ws?token={token}", "foreigner", Origin="https://evil.example")
        line = await log.line("the origin or the host is not allowed", "foreigner")
        assert (line["origin"], line["level"]) == ("https://evil.example", "warning")
        assert (await log.line("request", "foreigner"))["status"] == 403

        stayer = await connect(f"/ws?token={token}", "stayer")
        await stayer.receive_json()
        await server.terminate()
        assert (await stayer.receive()).data == 1001
        closed = await log.line("socket closed", "stayer")
        assert shown(closed, "code", "reason", "by") == [1001, "The server is going away", "server"]
        assert token not in log.text
