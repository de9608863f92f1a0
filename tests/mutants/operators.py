"""Operators that Cosmic Ray lacks, or whose own fail: drop a call, turn a membership test, count in the other
direction, let an exception pass.
"""

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import ExprStmt, Keyword, Name, PythonNode

Position = tuple[tuple[int, int], tuple[int, int]]

_TURNED = {"+=": "-=", "-=": "+=", "|=": "&=", "&=": "|="}
_LOGS = ("log.", "self._log.", "self._logger.", "_log.")


class DropCall(Operator):
    """Replaces a statement that is only a call or a `del` by `pass`. Log messages are left alone."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if self._is_call(node) or node.type == "del_stmt":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    @staticmethod
    def _is_call(node: Any) -> bool:
        if not isinstance(node, PythonNode) or node.type not in ("atom_expr", "power"):
            return False
        if node.parent is None or node.parent.type != "simple_stmt":
            return False
        last = node.children[-1]
        calls = last.type == "trailer" and last.children[0].value == "("
        return calls and not node.get_code().strip().startswith(_LOGS)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("f(x)\n", "pass\n"),
            Example("await x.f()\n", "pass\n"),
            Example("del x[0]\n", "pass\n"),
        )


class TurnMembership(Operator):
    """Replaces `in` by `not in`, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for operator in self._operators(node):
            yield operator.start_pos, operator.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        operator = self._operators(node)[index]
        turned = parso.parse(" not in" if operator.type == "keyword" else " in")
        node.children[node.children.index(operator)] = turned
        return node

    @staticmethod
    def _operators(node: Any) -> list[Any]:
        if node.type != "comparison":
            return []
        return [child for child in node.children[1::2] if child.get_code().split() in (["in"], ["not", "in"])]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x in y", "x not in y"), Example("x not in y", "x in y"))


class TurnUpdate(Operator):
    """Replaces `+=` by `-=`, `|=` by `&=`, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if isinstance(node, ExprStmt) and self._sign(node).value in _TURNED:
            yield self._sign(node).start_pos, self._sign(node).end_pos

    def mutate(self, node: Any, index: int) -> Any:
        sign = self._sign(node)
        sign.value = _TURNED[sign.value]
        return node

    @staticmethod
    def _sign(node: Any) -> Any:
        return node.children[1].get_first_leaf()

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x += 1", "x -= 1"), Example("x |= y", "x &= y"))


class CatchNothing(Operator):
    """Replaces one of the exceptions that are caught by one that is never raised."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "except_clause":
            yield from ((caught.start_pos, caught.end_pos) for caught in self._caught(node))

    def mutate(self, node: Any, index: int) -> Any:
        caught = self._caught(node)[index]
        siblings = caught.parent.children
        never = Name("StopAsyncIteration", caught.start_pos, prefix=caught.get_first_leaf().prefix)
        siblings[siblings.index(caught)] = never
        return node

    @staticmethod
    def _caught(node: Any) -> list[Any]:
        caught = node.children[1]
        if caught.type != "atom":
            return [caught]
        inside = caught.children[1]
        return inside.children[::2] if inside.type == "testlist_comp" else [inside]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        def example(old: str, new: str, occurrence: int = 0) -> Example:
            head = "try: f()\nexcept"
            return Example(f"{head} {old}: g()\n", f"{head} {new}: g()\n", occurrence)

        return (
            example("OSError as error", "StopAsyncIteration as error"),
            example("http.Refused", "StopAsyncIteration"),
            example("(OSError)", "(StopAsyncIteration)"),
            example("(OSError, http.Refused)", "(OSError, StopAsyncIteration)", 1),
        )


OWN_OPERATORS = (CatchNothing, DropCall, TurnMembership, TurnUpdate)
