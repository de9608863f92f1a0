"""Common tools accept the OpenAPI document, and the clients that they generate compile and buy seats."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from tests.contracts.guide_cinema import FIRST_SEAT, GuideCinema
from tests.generators.install import installed_generators
from tests.web.node import NODE

pytestmark = pytest.mark.gen_test(timeout=420)

HERE = Path(__file__).parent
SCRIPTS = HERE / "scripts"
ACCOUNT = ("ada@home.example", "correct horse battery")
BOUGHT = [[FIRST_SEAT, "confirmed"], [FIRST_SEAT + 1, "confirmed"]]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
}
EVERY_PATTERN = """
const patterns = new Set();
JSON.parse(require("fs").readFileSync("openapi.json"), (name, value) => {
  if (name === "pattern" && typeof value === "string") patterns.add(value);
  return value;
});
for (const pattern of patterns) new RegExp(pattern, "u");
console.log(JSON.stringify([...patterns]));
"""


@pytest.fixture
def cinema(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[GuideCinema]:
    """The cinema of the guides, on the real server."""
    cinema = GuideCinema(database_url, tmp_path / "data")
    io_loop.run_sync(cinema.open)
    yield cinema
    io_loop.run_sync(cinema.close)


@pytest.fixture
def folder(cinema: GuideCinema, tmp_path: Path, io_loop: IOLoop) -> Path:
    """A folder with the server's document."""
    document = io_loop.run_sync(lambda: cinema.guest.send("GET", "/openapi.json"))
    (tmp_path / "openapi.json").write_bytes(document.body)
    return tmp_path


async def run(folder: Path, *command: str | Path) -> str:
    """Run a program in the folder. Returns its output."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**ENVIRONMENT, "PYTHONPATH": str(folder)}, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


def package(*path: str) -> Path:
    """Return the path of an npm program."""
    folder = installed_generators()
    assert folder.exists(), "The generators are not installed: run `make generators`"
    return folder.joinpath("node_modules", *path)


def python_tool(name: str) -> Path:
    """Return the path of a program in the virtual environment."""
    return Path(sys.executable).parent / name


async def test_the_linter_finds_nothing(folder: Path) -> None:
    shutil.copy(HERE / "redocly.yaml", folder)
    said = await run(folder, NODE, package("@redocly", "cli", "bin", "cli.js"), "lint", "openapi.json")
    assert "Your API description is valid" in said
    assert "warning" not in said.lower(), said


async def test_patterns_are_those_of_ecmascript(folder: Path) -> None:
    patterns = json.loads(await run(folder, NODE, "--eval", EVERY_PATTERN))
    assert patterns and all(pattern.startswith("^") and pattern.endswith("$") for pattern in patterns)


async def test_typescript_types_buy_seats(folder: Path, cinema: GuideCinema) -> None:
    generator = package("openapi-typescript", "bin", "cli.js")
    await run(folder, NODE, generator, "openapi.json", "--output", "schema.ts")
    shutil.copy(SCRIPTS / "use_types.ts", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    options = ("--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler")
    await run(folder, NODE, package("typescript", "bin", "tsc"), *options, "schema.ts", "use_types.ts")
    assert json.loads(await run(folder, NODE, "use_types.js", cinema.base_url, *ACCOUNT)) == BOUGHT


async def test_a_python_client_buys_seats(folder: Path, cinema: GuideCinema) -> None:
    # It warns that it does not support pictures; they are available as bytes.
    await run(
        folder,
        *(python_tool("openapi-python-client"), "generate", "--path", "openapi.json", "--meta", "none"),
        *("--output-path", "frontrow_client", "--config", HERE / "python_client.yaml"),
    )
    assert await bought_by("use_python_client.py", folder, cinema) == BOUGHT


async def test_pydantic_models_buy_seats(folder: Path, cinema: GuideCinema) -> None:
    await run(
        folder,
        *(python_tool("datamodel-codegen"), "--input", "openapi.json", "--input-file-type", "openapi"),
        *("--output", "frontrow_models.py", "--output-model-type", "pydantic_v2.BaseModel"),
        *("--formatters", "builtin", "--enum-field-as-literal", "all"),
    )
    assert await bought_by("use_models.py", folder, cinema) == BOUGHT


async def bought_by(script: str, folder: Path, cinema: GuideCinema) -> Any:
    """Return the ticket that a script has bought with a generated client."""
    return json.loads(
        await run(folder, sys.executable, "-W", "error", SCRIPTS / script, cinema.base_url, *ACCOUNT)
    )
