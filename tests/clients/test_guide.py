"""The examples of the guide and of the package's README run as they stand."""

import ast
import asyncio
import inspect
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Box
from tests.web.demo_house import ADMIN, FIRST_USER, PASSWORD

pytestmark = pytest.mark.gen_test

PROJECT = Path(__file__).parents[2]
GUIDE = PROJECT / "docs" / "python-client.md"
README = PROJECT / "clients" / "python" / "README.md"
DEMO = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(block: str, names: dict[str, Any]) -> str:
    """Run an example, which may await at its top level. Returns its output."""
    code = compile(block, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = StringIO()
    with redirect_stdout(printed):
        awaiting = eval(code, names)  # noqa: S307  # our own documentation
        if inspect.iscoroutine(awaiting):
            asyncio.run(awaiting)
    return printed.getvalue()


async def test_the_examples_of_the_guide(box: Box) -> None:
    given, *blocks = BLOCK.findall(GUIDE.read_text())
    assert "URL =" in given and len(blocks) == 7
    names = {"URL": box.base_url, "EMAIL": FIRST_USER, "ADMIN_EMAIL": ADMIN, "PASSWORD": PASSWORD}
    printed = [await asyncio.to_thread(run, block, names) for block in blocks]
    assert "for 21.98" in printed[0]
    assert "standard" in printed[2]
    assert printed[3] == "40 seats on sale\n"
    assert re.fullmatch(r"refund \d+ of 25.0 is owed because of \w+\n", printed[4])
    assert "40 seats have changed; 38 are free" in printed[6]
    assert f'URL = "{DEMO}"' in given


async def test_the_examples_of_the_readme(box: Box) -> None:
    names = {"password": PASSWORD, "token": box.token(7)}
    buying, watching = (block.replace(DEMO, box.base_url) for block in BLOCK.findall(README.read_text()))
    assert re.fullmatch(r"sold: \[\d+, \d+\]\n", await asyncio.to_thread(run, buying, names))
    async with box.client(1, admin=True) as admin:
        free = [seat.seat.id for seat in await admin.seats(1) if seat.is_available]
        block = {"label": "Rehearsal", "kind": "house", "seat_ids": free}
        await admin.request("POST", "/api/v1/admin/screenings/1/blocks", dict, json=block)
    assert await asyncio.to_thread(run, watching, names) == "0 seats left\n"
