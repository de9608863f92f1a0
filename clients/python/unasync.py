"""Generates the synchronous client from the asynchronous one, so that nothing is written twice.

    python clients/python/unasync.py

writes `frontrow_client/_sync` from `frontrow_client/_async`. Only `__init__.py` and `io.py` are written by
hand in both.
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "frontrow_client"
STYLE = PACKAGE.parents[2] / "pyproject.toml"
BY_HAND = ("__init__.py", "io.py")
RULES = (
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basync (?=def|for|with)", ""),
    (r"\bawait ", ""),
    (r"\bAwaitable, ", ""),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"__a(enter|exit|iter)__", r"__\1__"),
    (r"__anext__", "__next__"),
    (r"\baclose\b", "close"),
    (r"\b_async\b", "_sync"),
    (r"\basynchronous", "synchronous"),
    (r"  # noqa: UP028.*", ""),
    (r"\b(another|several|one) task", r"\1 thread"),
)


def unasynced(text: str) -> str:
    """Return the synchronous counterpart of a module."""
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text


def generated(folder: Path) -> None:
    """Write all modules of the synchronous client into a folder, formatted as the project is."""
    for module in sorted((PACKAGE / "_async").glob("*.py")):
        if module.name not in BY_HAND:
            (folder / module.name).write_text(unasynced(module.read_text()))
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--fix", "--unsafe-fixes", "--select", "I,UP028"], ["format"]):
        subprocess.run([ruff, *command, "--quiet", "--config", STYLE, folder], check=True)  # noqa: S603  # ours


if __name__ == "__main__":
    generated(PACKAGE / "_sync")
