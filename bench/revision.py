"""Frontrow at another git revision, to be measured beside the present code."""

import io
import subprocess
import tarfile
from pathlib import Path

BASELINE = "c8e1a45"
"""The revision that `thresholds.toml` compares with."""

_CHECKOUT = Path(__file__).parents[1]


class NoSuchRevision(Exception):
    """Git does not have the revision: it is misspelt, or the clone is shallow."""


def require_revision(revision: str) -> None:
    """Raise `NoSuchRevision` unless git has the revision."""
    _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", revision=revision)


def unpack(revision: str, directory: Path) -> None:
    """Write the files of a revision into a directory. Blocking.

    Raises:
        NoSuchRevision: git does not have it.
    """
    require_revision(revision)
    with tarfile.open(fileobj=io.BytesIO(_git("archive", revision, revision=revision))) as files:
        files.extractall(directory, filter="data")


def _git(*arguments: str, revision: str) -> bytes:
    command = ["git", "-C", str(_CHECKOUT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - our arguments
    except (FileNotFoundError, subprocess.CalledProcessError) as exc:
        raise NoSuchRevision(f"git has no revision {revision!r} in {_CHECKOUT}") from exc
