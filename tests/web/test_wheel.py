"""A wheel has all that is loaded from files: the client, the pages as they were built, and texts of mails."""

import asyncio
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import api.mails
import web

pytestmark = pytest.mark.gen_test

WEB = Path(web.__file__).parent
PROJECT = WEB.parent
MAILS = Path(api.mails.__file__).parent
NEEDED_FOR_BUILDING = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(PROJECT)) for file in folder.rglob("*") if file.is_file()}


async def test_a_wheel_has_what_is_loaded_from_files(tmp_path: Path) -> None:
    for name in NEEDED_FOR_BUILDING:
        shutil.copy(PROJECT / name, tmp_path)
    for package in ("frontrow", "web"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(MAILS, tmp_path / "api" / "mails", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(MAILS.parent / "__init__.py", tmp_path / "api")
    build = "from setuptools import build_meta; build_meta.build_wheel('wheels')"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", build, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    names = [name for name in ZipFile(wheel).namelist() if "." in name]
    packed = {name for name in names if name.startswith("web/")}
    built = _files(WEB / "dist")
    assert built, "The pages are not built; `make install` builds them."
    assert packed == _files(WEB / "client") | built | {"web/__init__.py", "web/build.py"}
    texts = _files(MAILS / "templates") | _files(MAILS / "catalogues")
    assert len(texts) == 5
    assert texts <= set(names)
