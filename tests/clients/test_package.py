"""The package: generated, typed, and complete in an environment that has nothing else."""

import inspect
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import frontrow
import frontrow_client
from frontrow_client import ApiError, AsyncFrontrow, AsyncRooms, AsyncSeatWatch, Frontrow, Rooms, SeatWatch

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "clients" / "python"

TYPED = """
from datetime import datetime
from frontrow_client import AsyncFrontrow, Frontrow, SeatsChanged, SeatsUnavailable, Ticket

def buy(frontrow: Frontrow) -> list[Ticket]:
    starts: datetime = next(frontrow.screenings(cinema_id=1)).starts_at
    print(starts)
    try:
        return frontrow.book(1, [2], payment_id="p")
    except SeatsUnavailable as refusal:
        print([seat + 1 for seat in refusal.held])
        return []

async def watch(frontrow: AsyncFrontrow) -> float | None:
    tickets: list[Ticket] = await frontrow.book(1, [2])
    print(tickets[0].price + 1)
    async for update in frontrow.watch_seats(1):
        if isinstance(update, SeatsChanged):
            return update.changed[0].price
    return None
"""
MISTAKES = """
from frontrow_client import AsyncFrontrow, Frontrow

def wrong(frontrow: Frontrow) -> str:
    return frontrow.reserve(1, ["A1"]).total

async def forgotten(frontrow: AsyncFrontrow) -> None:
    print(frontrow.me().email)
"""


def run(*command: str | Path, cwd: Path, **options: Any) -> str:
    """Run a program. Returns its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)  # noqa: S603
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def test_the_synchronous_client_is_generated_from_the_asynchronous_one(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(PACKAGE)!r})
from pathlib import Path; import unasync
unasync.generated(Path({str(tmp_path)!r}))
"""
    assert run(sys.executable, "-c", script, cwd=tmp_path) == "0\n"
    for module in tmp_path.glob("*.py"):
        present = (PACKAGE / "frontrow_client" / "_sync" / module.name).read_text()
        assert present == module.read_text(), f"{module.name} is out of date: run `make python-client`"
    assert (tmp_path / "client.py").exists()


@pytest.mark.parametrize(
    ("blocking", "awaited"), [(Frontrow, AsyncFrontrow), (SeatWatch, AsyncSeatWatch), (Rooms, AsyncRooms)]
)
def test_both_clients_have_the_same_methods(blocking: type, awaited: type) -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        public = inspect.getmembers(kind, lambda member: inspect.isfunction(member))
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in public
            if not name.startswith("_")
        }

    assert methods(blocking) == methods(awaited)
    assert methods(blocking)


def test_every_method_is_in_the_guide_and_described() -> None:
    guide = (PROJECT / "docs" / "python-client.md").read_text()
    for name, method in inspect.getmembers(Frontrow, inspect.isfunction):
        if not name.startswith("_") and name not in {"close", "renew"}:
            assert f"`{name}`" in guide or f"`{name}(" in guide, name
            assert method.__doc__, name


def test_the_version_is_the_servers() -> None:
    assert frontrow_client.__version__ == frontrow.__version__ == distribution("frontrow-client").version


def test_everything_public_is_exported() -> None:
    for name in frontrow_client.__all__:
        assert hasattr(frontrow_client, name)

    def below(kind: type) -> set[type]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    assert {kind.__name__ for kind in below(ApiError)} <= set(frontrow_client.__all__)


def test_users_programs_are_checked_by_mypy(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    shutil.copytree(PACKAGE / "frontrow_client", tmp_path / "installed" / "frontrow_client")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
    options = {"env": {"MYPYPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"}}
    said = run(*mypy, "typed.py", cwd=tmp_path, **options)
    assert said.startswith("0\n"), said
    said = run(*mypy, "mistakes.py", cwd=tmp_path, **options)
    assert set(re.findall(r"mistakes.py:(\d+)", said)) == {"5", "8"}, said
    assert (tmp_path / "installed" / "frontrow_client" / "py.typed").exists()


def needed(name: str) -> set[str]:
    """Return the distributions that one needs, with those that these need."""
    names = {name}
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            names |= needed(requirement.name)
    return names


def test_a_wheel_works_where_nothing_else_is_installed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    build = "from setuptools import build_meta; build_meta.build_wheel('wheels')"
    assert run(sys.executable, "-W", "ignore", "-c", build, cwd=source).startswith("0\n")
    (wheel,) = (source / "wheels").glob("frontrow_client-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/*/site-packages")
    shutil.unpack_archive(wheel, packages, "zip")
    for name in needed("frontrow-client") - {"frontrow-client"}:
        for file in distribution(name).files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), packages / file)
    program = """
import frontrow_client, sys
from importlib.metadata import version
from pathlib import Path
assert Path(frontrow_client.__file__).with_name("py.typed").exists()
assert "tornado" not in sys.modules
try:
    frontrow_client.Frontrow("http://127.0.0.1:9", retries=frontrow_client.Retries(attempts=1)).me()
except frontrow_client.ConnectionFailed as error:
    print(version("frontrow-client"), error.may_have_been_executed)
"""
    said = run(environment / "bin" / "python", "-I", "-c", program, cwd=tmp_path)
    assert said == f"0\n{frontrow.__version__} False\n"
