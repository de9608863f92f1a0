"""Mutations of a file: each changes one place inside a function.

Most operators are Cosmic Ray's. A comparison is replaced by its opposite and by its other boundary, and
arithmetic by its opposite. Tests that notice these notice Cosmic Ray's other replacements too.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import parso
from cosmic_ray.ast import Visitor, ast_nodes
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

from tests.mutants.operators import OWN_OPERATORS

_COSMIC_RAY = OperatorProvider()
_COMPARISONS = (
    "Eq_NotEq",
    "NotEq_Eq",
    "Lt_LtE",
    "Lt_GtE",
    "LtE_Lt",
    "LtE_Gt",
    "Gt_GtE",
    "Gt_LtE",
    "GtE_Gt",
    "GtE_Lt",
)
_ARITHMETIC = (
    "Add_Sub",
    "Sub_Add",
    "Mul_FloorDiv",
    "Div_Mul",
    "FloorDiv_Mul",
    "Mod_Add",
    "BitOr_BitAnd",
    "BitAnd_BitOr",
)
OPERATORS: tuple[Operator, ...] = tuple(
    operator()
    for operator in (
        *(
            _COSMIC_RAY[f"ReplaceComparisonOperator_{change}"]
            for change in (*_COMPARISONS, "Is_IsNot", "IsNot_Is")
        ),
        *(_COSMIC_RAY[f"ReplaceBinaryOperator_{change}"] for change in _ARITHMETIC),
        *(_COSMIC_RAY[f"ReplaceUnaryOperator_Delete_{deleted}"] for deleted in ("Not", "USub")),
        *(
            _COSMIC_RAY[name]
            for name in (
                "AddNot",
                "ReplaceTrueWithFalse",
                "ReplaceFalseWithTrue",
                "ReplaceAndWithOr",
                "ReplaceOrWithAnd",
                "ReplaceBreakWithContinue",
                "ReplaceContinueWithBreak",
                "NumberReplacer",
                "ZeroIterationForLoop",
            )
        ),
        *OWN_OPERATORS,
    )
)


class Mutation(NamedTuple):
    """One change of a file.

    Attributes:
        path: the file, from the root of the project.
        line: number of the line that is changed.
        before: that line, without the spaces around it.
        after: the line as it is changed.
        source: the changed file.
        lines: those of the statement, or of the head of the compound statement, around it.
    """

    path: str
    line: int
    before: str
    after: str
    source: str
    lines: range

    def __str__(self) -> str:
        return f"{self.path}:{self.line}\n    - {self.before}\n    + {self.after}"


class Place(NamedTuple):
    """Something that can be changed: what an operator finds in a function.

    Attributes:
        function: its lines.
        operator: what changes it.
        number: which of the places that the operator finds in this function.
    """

    function: range
    operator: Operator
    number: int


class _Mutator(Visitor):  # type: ignore[misc]
    """Applies an operator to one node."""

    def __init__(self, operator: Operator, number: int) -> None:
        self._operator = operator
        self._left = number

    def visit(self, node: Any) -> Any:
        for index, _ in enumerate(self._operator.mutation_positions(node)):
            self._left -= 1
            if self._left == -1:
                return self._operator.mutate(node, index)
        return node


def mutations(
    path: str, choose: Callable[[Sequence[Place]], Sequence[Place]] = lambda places: places
) -> list[Mutation]:
    """The mutations inside the functions of a file, in the order of its lines.

    Args:
        path: from the root of the project, which is the working directory.
        choose: takes some of all the places where something can be changed.
    """
    source = Path(path).read_text()
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    statements = list(_statements(tree))
    found = []
    for place in choose([place for function in _functions(tree) for place in _places(lines, function)]):
        line, before, after, whole = _change(lines, place)
        found.append(Mutation(path, line, before, after, whole, _around(line, statements)))
    return sorted(found, key=lambda mutation: mutation.line)


def _functions(tree: ast.Module) -> Iterator[range]:
    """The lines of each function that is not inside another one."""
    bodies = [tree.body]
    while bodies:
        for node in bodies.pop():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                yield range(first, (node.end_lineno or node.lineno) + 1)
            elif isinstance(node, ast.ClassDef):
                bodies.append(node.body)


def _statements(tree: ast.Module) -> Iterator[range]:
    """The lines of each statement; of compound ones, those before the first statement inside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            yield range(node.lineno, max(end, node.lineno) + 1)


def _around(line: int, statements: list[range]) -> range:
    """The smallest statement that has this line."""
    return min((lines for lines in statements if line in lines), key=len, default=range(line, line + 1))


def _parse(lines: list[str], function: range) -> tuple[Any, str]:
    """A function's tree, and the text in front of it. Only its lines are parsed, not the whole file."""
    text = "".join(lines[function.start - 1 : function.stop - 1])
    # Methods are indented, so they need something around them.
    around = "class _:\n" if text[0].isspace() else ""
    return parso.parse(around + text), around


def _places(lines: list[str], function: range) -> Iterator[Place]:
    """Yield all places in a function that an operator can change."""
    nodes = list(ast_nodes(_parse(lines, function)[0]))
    for operator in OPERATORS:
        count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        yield from (Place(function, operator, number) for number in range(count))


def _change(lines: list[str], place: Place) -> tuple[int, str, str, str]:
    """Number of the changed line, the line before and after, and the changed file."""
    tree, around = _parse(lines, place.function)
    changed = _Mutator(place.operator, place.number).walk(tree).get_code()[len(around) :]
    before, after = lines[: place.function.start - 1], lines[place.function.stop - 1 :]
    offset, old, new = _difference(
        "".join(lines[place.function.start - 1 : place.function.stop - 1]), changed
    )
    return place.function.start + offset, old, new, "".join([*before, changed, *after])


def _difference(before: str, after: str) -> tuple[int, str, str]:
    """Return the first line that differs: its offset, the old text and the new one."""
    old, new = before.splitlines(), after.splitlines()
    offset = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    return offset, old[offset].strip(), new[offset].strip()
