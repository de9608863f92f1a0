"""A wheel has everything that browsers load: the client, and the pages as they were built."""

import asyncio
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import web

pytestmark = pytest.mark.gen_test

WEB = Path(web.__file__).parent
PROJECT = WEB.parent
NEEDED_FOR_BUILDING = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(PROJECT)) for file in folder.rglob("*") if file.is_file()}


async def test_a_wheel_has_the_client_and_the_built_pages(tmp_path: Path) -> None:
    for name in NEEDED_FOR_BUILDING:
        shutil.copy(PROJECT / name, tmp_path)
    for package in ("frontrow", "web"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("node_modules"))
    build = "from setuptools import build_meta; build_meta.build_wheel('wheels')"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", build, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    packed = {name for name in ZipFile(wheel).namelist() if name.startswith("web/") and "." in name}
    built = _files(WEB / "dist")
    assert built, "The pages are not built; `make install` builds them."
    assert packed == _files(WEB / "client") | built | {"web/__init__.py", "web/build.py"}
