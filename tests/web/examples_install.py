"""Installs what the examples need into the virtual environment: `python -m tests.web.examples_install`.

The packages are in a folder named after the examples' lock file, so one copy serves every checkout with that
lock file. `frontrow` is not among them, since it changes with its sources: tests unpack its tarball.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.installing import folder_beside, put_in_place
from tests.npm import fetch

EXAMPLES = Path(__file__).parents[2] / "examples"

_LOCK = EXAMPLES / "package-lock.json"


def installed_packages() -> Path:
    """Return the folder with the packages, whether or not it exists."""
    return Path(sys.prefix) / "examples" / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]


def install() -> None:
    """Install the packages unless they are installed.

    Raises:
        subprocess.CalledProcessError: they could not be downloaded, or do not match the lock file.
    """
    destination = installed_packages()
    if destination.exists():
        return
    with folder_beside(destination) as folder:
        manifests, project = folder / "manifests", folder / "project" / "examples"
        for manifest in (
            *EXAMPLES.glob("package*.json"),
            *EXAMPLES.glob("*/package.json"),
            EXAMPLES / ".npmrc",
        ):
            copy = manifests / manifest.relative_to(EXAMPLES)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(manifest, copy)
        _pack_placeholder(folder / "project")
        fetch(manifests, project)
        shutil.rmtree(project / "node_modules" / "frontrow")
        put_in_place(project, destination)


def _pack_placeholder(root: Path) -> None:
    """Make a tarball that has only the manifest that the lock file gives to `frontrow`."""
    locked = json.loads(_LOCK.read_text())["packages"]["node_modules/frontrow"]
    tarball = (root / "examples" / locked["resolved"].removeprefix("file:")).resolve()
    tarball.parent.mkdir(parents=True)
    manifest = root / "package.json"
    manifest.write_text(json.dumps({"name": "frontrow", **locked}))
    with tarfile.open(tarball, "w:gz") as archive:
        archive.add(manifest, "package/package.json")


if __name__ == "__main__":
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The packages of the examples were not installed: {error}")
