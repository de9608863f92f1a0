"""Projects that have the npm package from its tarball, as `npm install` puts it there."""

import asyncio
import os
import tarfile
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from web.build import NODE, NPM_BUILD, NPM_TARBALL, WEB

TARBALL = NPM_BUILD / NPM_TARBALL
NPM = NODE.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"

_ENVIRONMENT = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
# Dependencies of the package.
_DEPENDENCIES = ("openapi-fetch", "openapi-typescript-helpers")


def unpack(tarball: Path, modules: Path) -> None:
    """Unpack the package into a project's `node_modules`."""
    assert tarball.exists(), "The npm package is not built: run `make package`"
    with tarfile.open(tarball) as archive:
        archive.extractall(modules, filter="data")
    (modules / "package").rename(modules / "frontrow")


def new_project(folder: Path) -> None:
    """Make a folder a project of ES modules with the package and its dependencies."""
    modules = folder / "node_modules"
    unpack(TARBALL, modules)
    for name in _DEPENDENCIES:
        (modules / name).symlink_to(WEB / "node_modules" / name)
    (folder / "package.json").write_text('{"type": "module"}')


async def run_node(folder: Path, *command: str | Path) -> str:
    """Run Node in a folder. Returns its output."""
    process = await asyncio.create_subprocess_exec(
        NODE, *command, cwd=folder, env=_ENVIRONMENT, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
