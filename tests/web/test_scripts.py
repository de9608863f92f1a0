"""The TypeScript of the pages: its own tests pass. `make lint` checks its types."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT

import pytest

from web.build import TYPES

pytestmark = pytest.mark.gen_test(timeout=420)


async def test_its_tests_pass() -> None:
    assert TYPES.exists(), "The types of the API are not generated; `make install` generates them."
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web.build", "test", stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
