"""Installs programs for tests into the virtual environment, safely also from two runs at once."""

from pathlib import Path


def put_in_place(complete: Path, destination: Path) -> None:
    """Rename a complete folder to its destination, so that an incomplete one is never used.

    If another run has created the destination meanwhile, that one stays.
    """
    try:
        complete.rename(destination)
    except OSError:
        if not destination.exists():
            raise
