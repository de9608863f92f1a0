"""Debian programs that tests run beside the server: nginx, PgBouncer, Prometheus and Debian's PostgreSQL.

`python -m tests.debian` downloads the packages with apt, which verifies Debian's signatures, and unpacks them
into the virtual environment. This needs no root and changes nothing outside. On systems without apt, install
the programs in the system's own way; variables can name them:

    FRONTROW_TEST_NGINX=/usr/local/sbin/nginx make test
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.installing import folder_beside, put_in_place

_PACKAGES = ("nginx", "pgbouncer", "prometheus")
_PROGRAMS = ("nginx", "pgbouncer", "prometheus", "promtool")
# A folder for each list of packages, so that a longer list is installed beside what a running test uses.
_ROOT = Path(sys.prefix) / "debian" / "+".join(_PACKAGES)
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
_WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH={libraries} exec {program} "$@"
"""


class ProgramMissing(Exception):
    """A program that a test needs is not installed."""


def program(name: str) -> Path:
    """Return the path of an executable.

    Args:
        name: `nginx`, `pgbouncer`, `prometheus` or `promtool`.

    Raises:
        ProgramMissing: it is not installed; the message says how to install it.
    """
    variable = f"FRONTROW_TEST_{name.upper()}"
    if named := os.environ.get(variable):
        return Path(named)
    folders = os.pathsep.join((str(_ROOT / "bin"), os.environ.get("PATH", ""), *_SYSTEM_FOLDERS))
    if found := shutil.which(name, path=folders):
        return Path(found)
    raise ProgramMissing(
        f"{name} is missing: run `make programs`, or install it and set {variable} to its path"
    )


def postgres_programs() -> Path:
    """Return the directory with `initdb`, `postgres` and `psql` of the oldest Debian PostgreSQL found.

    Raises:
        ProgramMissing: there is none.
    """
    variable = "FRONTROW_TEST_POSTGRES"
    if named := os.environ.get(variable):
        return Path(named)
    folders = [
        path
        for root in (_ROOT / "root", Path("/"))
        for path in root.glob("usr/lib/postgresql/*/bin")
        if (path / "initdb").exists()
    ]
    if not folders:
        raise ProgramMissing(
            f"Debian's PostgreSQL is missing: run `make programs`, or set {variable} to its bin directory"
        )
    return min(folders, key=lambda path: int(path.parent.name))


def library_path() -> str:
    """Return `LD_LIBRARY_PATH` for PostgreSQL's programs; empty if the system has the libraries."""
    return os.pathsep.join(str(path) for path in (_ROOT / "root").glob("usr/lib/*-linux-gnu"))


def install() -> None:
    """Install the programs into the virtual environment, except those already installed or named.

    Raises:
        subprocess.CalledProcessError: apt could not download or unpack a package.
    """
    if _ROOT.exists() or not shutil.which("apt-get"):
        return
    with folder_beside(_ROOT) as folder:
        state, unpacked = folder / "apt", folder / "debian"
        (unpacked / "root").mkdir(parents=True)
        apt = _Apt(state)
        for package in apt.download(*_PACKAGES, _lowest_postgres(apt)):
            _run("dpkg-deb", "-x", str(package), str(unpacked / "root"))
        _wrap(unpacked)
        put_in_place(unpacked, _ROOT)


class _Apt:
    """apt with its own directory for lists and packages; the system's packages count as installed.

    Args:
        folder: the directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        self._options = [
            *("-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"),
            *("-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root"),
        ]
        self._apt("apt-get", "-qq", "update")

    def names(self, prefix: str) -> list[str]:
        """Return the names of packages that begin with `prefix`."""
        return self._apt("apt-cache", "pkgnames", prefix).split()

    def download(self, *packages: str) -> list[Path]:
        """Download packages and their dependencies that are not installed."""
        self._apt("apt-get", "-qq", "-y", "--no-install-recommends", "--download-only", "install", *packages)
        return sorted((self._folder / "cache" / "archives").glob("*.deb"))

    def _apt(self, command: str, *arguments: str) -> str:
        return _run(command, *self._options, *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def _lowest_postgres(apt: _Apt) -> str:
    versions = [
        int(match[1])
        for name in apt.names("postgresql-")
        if (match := re.fullmatch(r"postgresql-(\d+)", name))
    ]
    return f"postgresql-{min(versions)}"


def _wrap(unpacked: Path) -> None:
    """Write a wrapper for each program that makes it find the unpacked libraries."""
    libraries = os.pathsep.join(
        str(_ROOT / path.relative_to(unpacked)) for path in unpacked.glob("root/usr/lib/*-linux-gnu")
    )
    (unpacked / "bin").mkdir()
    for name in _PROGRAMS:
        found = next((unpacked / "root" / "usr").glob(f"*bin/{name}"), None)
        if found is None:
            continue  # installed on the system
        starter = unpacked / "bin" / name
        starter.write_text(_WRAPPER.format(libraries=libraries, program=_ROOT / found.relative_to(unpacked)))
        starter.chmod(0o755)


if __name__ == "__main__":
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The programs of the tests were not installed: {error}")
