"""The TypeScript of the pages: its types are right, and its own tests pass."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT

import pytest

from web.build import TYPES

pytestmark = pytest.mark.gen_test(timeout=420)


@pytest.mark.parametrize("step", ["check", "test"])
async def test_step(step: str) -> None:
    assert TYPES.exists(), "The types of the API are not generated; `make install` generates them."
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web.build", step, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
