"""The code blocks of the documentation, by page."""

import re
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(PROJECT))
    for path in (
        *(PROJECT / "docs").rglob("*.md"),
        *PROJECT.glob("clients/*/README.md"),
        *(PROJECT / name for name in ("README.md", "deploy/README.md")),
    )
)

_BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A code block.

    Attributes:
        page: path of the file in the repository.
        line: number of its first line, from 1.
        title: name of the file that it shows, or empty.
    """

    page: str
    line: int
    language: str
    title: str
    code: str

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Return the code blocks of a page.

    Args:
        page: path of the file in the repository.
    """
    text = (PROJECT / page).read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2] or "", found[3])
        for found in _BLOCK.finditer(text)
    ]


ALL = [block for page in PAGES for block in blocks(page)]
