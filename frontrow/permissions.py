"""Finds paths that this process may not use, and words error messages about them."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path


def user_name() -> str:
    """Return the effective user's name, or a description if it has none, e.g. in a container."""
    user_id = os.geteuid()
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"uid {user_id}"


def denied(path: object) -> str:
    """Return an error message for a path that this process may not use."""
    return (
        f"{path}: permission denied for the user {user_name()}; change its owner, run as its owner, or "
        "choose another directory"
    )


def file_in_the_way(directory: Path) -> Path | None:
    """Return the file that stands where the directory or one of its parents should be, if any."""
    existing = _nearest_existing(directory)
    return None if existing.is_dir() else existing


def unusable_paths(directory: Path) -> Iterator[Path]:
    """Yield the paths in a directory that this process may not read and write. Changes nothing.

    Args:
        directory: if it does not exist, its nearest existing parent is checked instead.
    """
    if not os.path.exists(directory):  # `Path.exists` raises if a parent directory is not accessible
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
