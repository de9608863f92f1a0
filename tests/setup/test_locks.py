"""Installation resolves nothing: the lock files are complete, and every command uses them as they are."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
EXTRAS = {"run.lock": ("",), "dev.lock": ("", "test", "dev"), "traces.lock": ("", "traces")}
"""The part of the project that each lock file is for. Packages of the other lock files are not installed
where tests run; `make check-install` has pip check those."""
SHOWN_COMMANDS = (
    *("Dockerfile", "README.md", "compose.yaml", ".ci/*", "deploy/**/*", "docs/*.md"),
    *("bench/**/*.py", "frontrow/**/*.py", "tests/web/*.py", "tests/*.py"),
)
INSTALLING = re.compile(r"\bpip3? (?:install|wheel|download|lock|sync|compile)\b[^\n&|;`]*")


def lines_of(lock: Path) -> list[str]:
    """Return its requirements, each with its hashes on one line."""
    joined = lock.read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def locked(lock: Path, environment: dict[str, str]) -> dict[NormalizedName, Version]:
    """Return the versions that a lock file installs in an environment."""
    versions = {}
    for line in lines_of(lock):
        requirement = Requirement(line.split("--hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (pin,) = requirement.specifier
            versions[canonicalize_name(requirement.name)] = Version(pin.version)
    return versions


def needs_of(name: str, extras: frozenset[str], environment: dict[str, str]) -> Iterator[Requirement]:
    """Yield the requirements that a package, with some of its extras, declares for an environment."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate(environment | {"extra": extra}) for extra in extras | {""}):
            yield requirement


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_everything_with_hashes_and_names_no_host(lock: Path) -> None:
    assert "://" not in lock.read_text()
    for line in lines_of(lock):
        named, *hashes = line.split("--hash=")
        (pin,) = Requirement(named).specifier
        assert pin.operator == "==" and "*" not in pin.version, line
        assert hashes and all(hash_.startswith("sha256:") for hash_ in hashes), line


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_file_contains_all_dependencies(lock: str, python: str) -> None:
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    versions = locked(ROOT / "requirements" / lock, environment)
    missing, seen = [], set()
    waiting: list[tuple[str, frozenset[str]]] = [("frontrow", frozenset(EXTRAS[lock]))]
    while waiting:
        name, extras = waiting.pop()
        try:
            needs = list(needs_of(name, extras, environment))
        except PackageNotFoundError:
            # Only other versions of Python need it, and the suite checks it with those.
            assert python != "{}.{}".format(*Version(default_environment()["python_full_version"]).release)
            continue
        for need in needs:
            version = versions.get(canonicalize_name(need.name))
            if version is None or not need.specifier.contains(version, prereleases=True):
                missing.append(f"{name} needs {need}; the lock has {version}")
            elif (key := (need.name, frozenset(need.extras))) not in seen:
                seen.add(key)
                waiting.append(key)
    assert missing == []
    assert seen


def test_the_image_builds_with_the_declared_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tools = project["dependency-groups"]["build"]
    assert set(project["build-system"]["requires"]) < set(tools)
    built_with, tested_with = (
        locked(ROOT / "requirements" / lock, dict(default_environment()))
        for lock in ("build.lock", "dev.lock")
    )
    for line in tools:
        requirement = Requirement(line)
        assert requirement.specifier.contains(built_with[canonicalize_name(requirement.name)])
    assert built_with.items() <= tested_with.items()


def installing_commands() -> Iterator[str]:
    """Yield every command that installs packages, from the Makefile and the documentation."""
    made = subprocess.run(
        ["make", "--dry-run", "--always-make", "VENV=fresh", "install", "fresh/.peers", "fresh/.fuzzer"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = (path for glob in SHOWN_COMMANDS for path in ROOT.glob(glob))
    texts = [made.stdout, *(path.read_text() for path in shown if path.is_file() and path.suffix != ".pyc")]
    for text in texts:
        yield from INSTALLING.findall(text.replace("\\\n", " "))


def test_no_command_lets_pip_resolve_anything() -> None:
    commands = list(installing_commands())
    assert {lock.name for lock in LOCKS if any(lock.name in command for command in commands)} == {
        *("bench.lock", "build.lock", "dev.lock", "fuzz.lock", "run.lock", "traces.lock")
    }
    for command in commands:
        if command.endswith(" ./clients/python"):
            continue  # of client developers, in their own environments
        assert "--no-deps" in command, command
        if "-r " in command or "--requirement" in command:
            assert "--require-hashes" in command and "--only-binary :all:" in command, command
        elif "-e ." in command or command.rstrip().endswith(" ."):
            # Otherwise pip looks for the newest setuptools to build with.
            assert "--no-build-isolation" in command, command
