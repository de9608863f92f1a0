"""Installs the npm client generators into the virtual environment: `python -m tests.generators.install`.

They are in a folder named after their lock file, so one copy serves every checkout with that lock file.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.installing import folder_beside, put_in_place
from tests.npm import fetch

_MANIFEST = Path(__file__).parent / "npm"


def installed_generators() -> Path:
    """Return the folder of the generators, whether or not it exists."""
    lock = (_MANIFEST / "package-lock.json").read_bytes()
    return Path(sys.prefix) / "generators" / hashlib.sha256(lock).hexdigest()[:16]


def install() -> None:
    """Install the generators unless they are installed.

    Raises:
        subprocess.CalledProcessError: they could not be downloaded, or do not match the lock file.
    """
    destination = installed_generators()
    if destination.exists():
        return
    with folder_beside(destination) as folder:
        project = folder / "project"
        fetch(_MANIFEST, project)
        put_in_place(project, destination)


if __name__ == "__main__":
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The generators of the tests were not installed: {error}")
