"""Schemathesis as a process: tries a server by its OpenAPI document, operation by operation and by link."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from api.rest.fields import LARGEST_ID
from api.rest.idempotency import KEY_HEADER
from tests.acceptance.server_process import ServerProcess

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)
CHECKS_OF_STORIES = (*CHECKS, "ensure_resource_availability", "use_after_free")

FAREWELLS = ("log_out", "delete_account")
"""After these, the caller's token is refused everywhere."""

SETTINGS = """
[phases.stateful]
max-steps = 20
generation.mode = "positive"
inference.algorithms = []
"""
"""Stories follow the document's own links; links that are guessed lead to fewer good answers."""

FEW_IDS = 20

_OUTPUT_LINES = 80


class Schemathesis:
    """A stranger with an account, who tries everything.

    Args:
        server: which is tried.
        token: speaks for the account.
        directory: for the stranger's own files.
    """

    def __init__(self, server: ServerProcess, token: str, directory: Path) -> None:
        self._server = server
        self._token = token
        self._directory = directory

    async def try_operations(self, examples: int) -> None:
        """Try each operation by itself, but for farewells."""
        await self._try_alone(examples, _each("--exclude-operation-id", FAREWELLS))

    async def try_farewells(self, examples: int) -> None:
        """Try only the operations that may end what the token is good for."""
        await self._try_alone(examples, _each("--include-operation-id", FAREWELLS))

    async def follow_links(self, document: Any, seconds: int) -> None:
        """Make things, and do with them what the document's links lead to.

        Args:
            document: the server's own.
            seconds: for how long.
        """
        (self._directory / "openapi.json").write_bytes(orjson.dumps(narrowed(document)))
        await self._run(
            *("openapi.json", "--url", self._server.url, "--phases", "stateful"),
            *("--checks", ",".join(CHECKS_OF_STORIES), "--max-time", str(seconds)),
            *_each("--exclude-operation-id", FAREWELLS),
        )

    async def _try_alone(self, examples: int, options: Sequence[str]) -> None:
        await self._run(
            *(f"{self._server.url}/openapi.json", "--phases", "examples,coverage,fuzzing"),
            *("--checks", ",".join(CHECKS), "--max-examples", str(examples), *options),
        )

    async def _run(self, *options: str) -> None:
        """Run to the end, and see that nothing was found."""
        (self._directory / "schemathesis.toml").write_text(SETTINGS)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
            *("--header", f"Authorization: Bearer {self._token}", "--continue-on-failure"),
            *("--seed", "9", "--warnings", "off", "--no-color", *options),
            cwd=self._directory,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, "\n".join(said.decode().splitlines()[-_OUTPUT_LINES:])


def narrowed(node: Any) -> Any:
    """A document with few ids, so that they often name something, and without idempotency keys.

    A repeated key is answered with what was created under it then, also if that has been deleted since.
    """
    if isinstance(node, dict):
        bounds = {"maximum": FEW_IDS} if node.get("maximum") == LARGEST_ID else {}
        return {name: narrowed(child) for name, child in node.items()} | bounds
    if isinstance(node, list):
        return [narrowed(child) for child in node if not _is_key(child)]
    return node


def _is_key(node: Any) -> bool:
    return isinstance(node, dict) and node.get("name") == KEY_HEADER


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
