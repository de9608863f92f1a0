"""Installing programs for tests into the virtual environment, also from two runs at once."""

from pathlib import Path


def put_in_place(complete: Path, destination: Path) -> None:
    """Rename a folder to where it is used, so that half of it is never used.

    If another run has put its own there meanwhile, that one stays.
    """
    try:
        complete.rename(destination)
    except OSError:
        if not destination.exists():
            raise
