"""The image's health check works with any prefix, port and host names."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.deploy.compose import PROJECT
from tests.house import House

pytestmark = pytest.mark.gen_test


def health_check() -> list[str]:
    """Return the command of the image's health check."""
    dockerfile = (PROJECT / "Dockerfile").read_text().replace("\\\n", "")
    match = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert match
    command: list[str] = json.loads(match[1])
    return command


async def exit_status(port: int) -> int:
    program, *arguments = health_check()
    assert program == "python"
    environment = {**os.environ, "FRONTROW_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_the_health_check_passes_until_the_server_stops(database_url: str, tmp_path: Path) -> None:
    house = House(
        database_url,
        tmp_path,
        path_prefix="/tickets",
        hosts=["tickets.example.com"],
        public_url="https://tickets.example.com",
        env="production",
        personal_data_key="k3!vQz8#Lm1xWp7$Tn4rYb6&Hd9jFs2@",
    )
    await house.open()
    assert await exit_status(house.server.port) == 0
    await house.close()
    assert await exit_status(house.server.port) != 0
