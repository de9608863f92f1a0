"""Runs the commands of a page in one shell, from top to bottom, as a reader types them."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from frontrow.settings import PREFIX
from tests.site.blocks import Block

ADDRESS = "http://127.0.0.1:8000"
"""The server's address in all pages."""

NOT_TYPED = {
    "make install": "the tests run in what it has installed",
    "make run": "the server of the test runs already, on a free port",
    "make test": "this is one of its tests",
    ". .venv/bin/activate": "the environment of the tests is first on the PATH",
    "frontrow serve": "the server of the test runs already, on a free port",
    "TOKEN=…": "it stands for a token, which the test gives",
}
"""Commands that are left out, with the reasons."""

# Every answer's status is noted; the page sees the same output as without this.
_SHELL = """\
set -euo pipefail
WRITE_OUT='%{stderr}\\nstatus %{http_code} %{method} %{url_effective}\\n'
curl() { command curl -sS --max-time 60 -w "$WRITE_OUT" "$@"; }
"""
_STATUS = "status "


class Ran(NamedTuple):
    """Result of the commands of a page.

    Attributes:
        output: what they printed.
        refused: the requests that were not answered with 2xx: status, method, URL.
    """

    output: str
    refused: list[str]


async def run_commands(
    blocks: Sequence[Block], url: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run the `sh` blocks of a page; blocks with a title are files that the page tells to save.

    Args:
        blocks: of the page, in their order.
        url: of the server.
        folder: where the commands run.
        environment: further variables.

    Raises:
        AssertionError: a command failed.
    """
    commands = [_SHELL]
    for block in blocks:
        code = block.code.replace(ADDRESS, url)
        if block.title:
            (folder / block.title).write_text(code)
        elif block.language == "sh":
            commands += [line for line in code.splitlines() if not line.startswith(tuple(NOT_TYPED))]
    usual = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{usual['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", "\n".join(commands)),
        cwd=folder,
        env={**usual, "PATH": path, **(environment or {})},
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, f"{output}\n{errors}"
    answered = [line.removeprefix(_STATUS) for line in errors.splitlines() if line.startswith(_STATUS)]
    return Ran(output, [line for line in answered if not line.startswith("2")])
