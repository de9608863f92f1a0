"""Installs programs for tests into the virtual environment, safely also from two runs at once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_beside(destination: Path) -> Iterator[Path]:
    """Yield a temporary folder on the file system of the destination, to prepare it in."""
    destination.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        yield Path(folder)


def put_in_place(complete: Path, destination: Path) -> None:
    """Rename a complete folder to its destination, so that an incomplete one is never used.

    If another run has created the destination meanwhile, that one stays.
    """
    try:
        complete.rename(destination)
    except OSError:
        if not destination.exists():
            raise
