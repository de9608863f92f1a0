"""Mutations that change nothing anybody could notice, with the reasons: `equivalent.toml`."""

import tomllib
from functools import cache
from pathlib import Path

from tests.mutants.mutations import Mutation

LIST = Path(__file__).with_name("equivalent.toml")

Change = tuple[str, str, str]


@cache
def equivalents() -> dict[Change, str]:
    """The reason for each change: file, line before, line after."""
    return {
        (path, entry["before"], entry["after"]): entry["reason"]
        for path, entries in tomllib.loads(LIST.read_text()).items()
        for entry in entries
    }


def is_equivalent(mutation: Mutation) -> bool:
    """Whether a mutation is listed."""
    return (mutation.path, mutation.before, mutation.after) in equivalents()
