"""Every example with curl in the documentation of selling and of tickets, against a running demo."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from frontrow.demo import LOGINS
from tests.acceptance.server_process import ServerProcess

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENTS = ("selling.md", "tickets.md")
ADDRESS = "http://127.0.0.1:8000"
A_MONTH_SECONDS = 30 * 86_400

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REFUSAL = re.compile(r"# (\d{3}) (\w+)$", re.MULTILINE)

# Does what curl does, and notes the status and the code of each answer.
_CURL = """#!/bin/bash
answer=$(mktemp)
status=$({curl} -sS -w '%{{http_code}}' -o "$answer" "$@") || exit
echo "$status $(grep -o '"code":"[a-z_]*"' "$answer" | head -1 | cut -d'"' -f4) $*" >> {log}
cat "$answer"
rm "$answer"
"""


def examples(document: str) -> list[str]:
    blocks = _BLOCK.findall((DOCS / document).read_text())
    return [block for block in blocks if "curl " in block or block.startswith("API=")]


async def run(script: str, environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-c", script),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, f"{script}\n{output.decode()}"


@pytest.mark.gen_test(timeout=510)
async def test_every_example_works_on_the_demo(data_directory: Path, tmp_path: Path) -> None:
    curl, log = shutil.which("curl"), tmp_path / "log"
    assert curl, "The examples need curl: install it"
    (tmp_path / "curl").write_text(_CURL.format(curl=curl, log=log))
    (tmp_path / "curl").chmod(0o755)
    server = ServerProcess(data_directory, check_in_opens_seconds=A_MONTH_SECONDS)
    try:
        await server.start("--demo")
        printed = await server.said("FRONTROW_EXTRA_PORTS=8001,3000")
        admin, user, other = re.findall(r"^ +token (\S+)$", printed, re.MULTILINE)
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "TOKEN_OF_ADMIN": admin,
            "TOKEN_OF_USER": user,
            "TOKEN_OF_ANOTHER": other,
            "TOKEN_OF_SCANNER": admin,
        }
        assert len(LOGINS) == 3
        for named in ("ink-and-paper-2026", "brass-and-thunder", "waiting list", "at most 4 seats"):
            assert named in printed
        for document in DOCUMENTS:
            setup, *blocks = ["", *examples(document)]
            for block in blocks:
                if block.startswith("API="):
                    setup = block
                    continue
                log.write_text("")
                await run((setup + block).replace(ADDRESS, server.url), environment)
                answers = [line.split(" ", 2) for line in log.read_text().splitlines()]
                assert answers, block
                refused = [(status, code) for status, code, _ in answers if status >= "400"]
                assert refused == _REFUSAL.findall(block), f"{block}\n{log.read_text()}"
    finally:
        await server.remove()
