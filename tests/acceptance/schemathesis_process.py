"""Runs Schemathesis against a server, operation by operation and along the document's links."""

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
"""Operations after which the caller's token is rejected."""

SETTINGS = """
[phases.stateful]
max-steps = 20
generation.mode = "positive"
inference.algorithms = []
"""
"""Stateful tests follow the document's own links; inferred links lead to fewer valid responses."""

FEW_IDS = 20

_OUTPUT_LINES = 80


class Schemathesis:
    """Schemathesis with the token of one account.

    Args:
        server: the server under test.
        token: the account's token.
        directory: for Schemathesis' files.
    """

    def __init__(self, server: ServerProcess, token: str, directory: Path) -> None:
        self._server = server
        self._token = token
        self._directory = directory

    async def try_operations(self, examples: int) -> None:
        """Test each operation alone, except those that end the token's validity."""
        await self._try_alone(examples, _each("--exclude-operation-id", FAREWELLS))

    async def try_farewells(self, examples: int) -> None:
        """Test only the operations that may end the token's validity."""
        await self._try_alone(examples, _each("--include-operation-id", FAREWELLS))

    async def follow_links(self, document: Any, seconds: int) -> None:
        """Create resources and follow the document's links from them.

        Args:
            document: the server's OpenAPI document.
            seconds: duration.
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
        """Run to the end, and fail if something was found."""
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
    """Return a document with few ids, so that they often exist, and without idempotency keys.

    A repeated key returns the stored response, even if the created resource has been deleted since.
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
