"""Frontrow as it was at another revision, unpacked from git, to be measured beside the present code."""

import io
import subprocess
import tarfile
from pathlib import Path

BASELINE = "c8e1a45"
"""The revision that `thresholds.toml` compares with, before a request's way was compiled at start."""

_CHECKOUT = Path(__file__).parents[1]


class NoSuchRevision(Exception):
    """Git does not know the revision here: it is misspelt, or the clone is a shallow one."""


def require_revision(revision: str) -> None:
    """Raise `NoSuchRevision` unless git can unpack the revision."""
    _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", revision=revision)


def unpack(revision: str, directory: Path) -> None:
    """Write all files of a revision into a directory. Blocking.

    Raises:
        NoSuchRevision: git does not know it.
    """
    require_revision(revision)
    archive = _git("archive", "--format=tar", revision, revision=revision)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory, filter="data")


def _git(*arguments: str, revision: str) -> bytes:
    try:
        return subprocess.run(  # noqa: S603 - the arguments are ours, and the revision is no option
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=_CHECKOUT,
            capture_output=True,
            check=True,
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as exc:
        raise NoSuchRevision(f"git knows no revision {revision!r} in {_CHECKOUT}") from exc
