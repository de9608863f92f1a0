"""Reads the list of planted bugs, `bugs.toml`, and plants one of them in a copy of the code."""

import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("bugs.toml")

COPIED = ("api", "cluster", "engine", "frontrow", "metrics", "persistence", "tests")
"""Folders that are copied; a copy refers to everything else where it is."""

_LEFT_OUT = (".git", "build")


class NotPlanted(Exception):
    """The code has changed, so that a bug cannot be planted any more."""


class Bug(NamedTuple):
    """A change that breaks a promise.

    Attributes:
        name: a few words, unique.
        promise: what does not hold any more.
        file: the file that is changed, relative to the root.
        old: the text that is replaced; it occurs once in the file.
        new: the text in its place.
        finder: a simulation of `tests.planted.simulations`, "torture", or a test for pytest.
        finding: a regular expression for the line in which the finder says what is wrong; any by default.
        arguments: more arguments for the finder.
        histories: how many histories a simulation may take.
        quick: whether it is found so fast that `make test` looks for it.
    """

    name: str
    promise: str
    file: str
    old: str
    new: str
    finder: str
    finding: str = ""
    arguments: tuple[str, ...] = ()
    histories: int = 200
    quick: bool = False

    def mutated(self) -> str:
        """Return the text of the file with the bug.

        Raises:
            NotPlanted: the old text does not occur exactly once.
        """
        text = (ROOT / self.file).read_text()
        if (number := text.count(self.old)) != 1:
            raise NotPlanted(f"{self.name}: the old text occurs {number} times in {self.file}")
        return text.replace(self.old, self.new)


def read_bugs() -> list[Bug]:
    """Return all bugs, in the order of the list."""
    listed = tomllib.loads(LIST.read_text())["bug"]
    return [Bug(**{**bug, "arguments": tuple(bug.get("arguments", ()))}) for bug in listed]


@contextmanager
def copied_tree(bug: Bug | None = None) -> Iterator[Path]:
    """Copy the code into a temporary folder, which ends with the context.

    Args:
        bug: is planted in the copy; None for a copy as it is.
    """
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        tree = Path(name)
        for entry in os.scandir(ROOT):
            if entry.name in COPIED:
                shutil.copytree(entry.path, tree / entry.name)
            elif entry.name not in _LEFT_OUT:
                (tree / entry.name).symlink_to(entry.path)
        if bug is not None:
            (tree / bug.file).write_text(bug.mutated())
        yield tree
