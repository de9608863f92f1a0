"""Tests can run beside anything else on the machine: they use free ports only, and do not judge speed."""

import ast
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FixedPort

TESTS = Path(__file__).parents[1]
CLOCKS = {"monotonic", "perf_counter", "process_time", "time"}
MEASURED = re.compile(r"(^|_)(seconds|elapsed|took|waited|duration)$")


def test_a_fixed_port_is_refused_and_a_free_one_is_not() -> None:
    with pytest.raises(FixedPort, match=":8001 may be taken"), socket.socket() as fixed:
        fixed.bind(("127.0.0.1", 8001))
    with socket.create_server(("127.0.0.1", 0)) as free:
        assert free.getsockname()[1]


def is_measured(node: ast.expr) -> bool:
    """Return whether an expression is a duration: it reads a clock or has the name of a duration."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in CLOCKS:
            return True
        name = part.id if isinstance(part, ast.Name) else part.attr if isinstance(part, ast.Attribute) else ""
        if name in CLOCKS - {"time"} or MEASURED.search(name):
            return True
    return False


def is_fixed(node: ast.expr) -> bool:
    """Return whether an expression is a number or consists of constants."""
    named = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    return not any(isinstance(part, ast.Call) for part in ast.walk(node)) and all(map(str.isupper, named))


def judgements(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that assert that something took no longer than a fixed time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            for compared in (part for part in ast.walk(node.test) if isinstance(part, ast.Compare)):
                sides = (compared.left, *compared.comparators)
                for left, operator, right in zip(sides, compared.ops, sides[1:], strict=False):
                    if isinstance(operator, ast.Gt | ast.GtE):
                        left, right = right, left
                    elif not isinstance(operator, ast.Lt | ast.LtE):
                        continue
                    if is_measured(left) and is_fixed(right):
                        yield node.lineno


@pytest.mark.parametrize(
    "text",
    [
        "assert perf_counter() - began < 2",
        "assert time.monotonic() - began <= LIMIT_SECONDS",
        "assert end.seconds < 10.0",
        "assert 3.0 > ready_seconds[0]",
        "assert max(resolved_seconds) <= RESOLVED_SECONDS, 'slow'",
    ],
)
def test_assertions_on_durations_are_found(text: str) -> None:
    assert list(judgements(ast.parse(text))) == [1]


def test_no_test_judges_how_long_something_takes() -> None:
    """The machine may be busy. Times are printed as measurements and judged by bench/thresholds.toml."""
    found = [
        f"{path.relative_to(TESTS.parent)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in judgements(ast.parse(path.read_text()))
    ]
    assert found == []
