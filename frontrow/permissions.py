"""The user this process runs as and the paths it may not use, for error messages that help an operator."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path


def user_name() -> str:
    """The user this process acts as, by name where the machine has one for it, e.g. in a container."""
    user_id = os.geteuid()
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"uid {user_id}"


def denied(path: object) -> str:
    """A sentence for a path that this process may not use."""
    return (
        f"{path}: permission denied to the user {user_name()}; give it to that user, run as its owner, or "
        "choose another directory"
    )


def file_in_the_way(directory: Path) -> Path | None:
    """The file that is in the place of a directory or of one of its parents."""
    existing = _nearest_existing(directory)
    return None if existing.is_dir() else existing


def unusable_paths(directory: Path) -> Iterator[Path]:
    """Paths in a directory that this process may not read and write. Changes nothing.

    Args:
        directory: need not exist; then it has to be possible to make it.
    """
    if not os.path.exists(directory):  # `Path.exists` raises where a parent may not be entered
        parent = _nearest_existing(directory)
        if not _usable(parent):
            yield parent
    elif not _usable(directory):
        yield directory
    else:
        yield from (entry for entry in sorted(directory.iterdir()) if not _usable(entry))


def _nearest_existing(path: Path) -> Path:
    path = path.absolute()
    return next(each for each in (path, *path.parents) if os.path.exists(each))


def _usable(path: Path) -> bool:
    wanted = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids)
