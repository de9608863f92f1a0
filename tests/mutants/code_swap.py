"""Puts the code of a mutation into functions that are loaded already, so nothing is imported again."""

import gc
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

from tests.mutants.mutations import Mutation

_Key = tuple[str, int]


class LoadedFunctions:
    """The functions of some files, wherever they are: also properties, in tables and below decorators.

    Args:
        paths: the files, from the root of the project. They are imported.
    """

    def __init__(self, paths: list[str]) -> None:
        names = {str(Path(path).resolve()): path for path in paths}
        self._functions: dict[str, dict[_Key, list[FunctionType]]] = {path: {} for path in paths}
        self._unchanged = {
            path: dict(_code_objects(compile(Path(path).read_text(), path, "exec"))) for path in paths
        }
        # Frozen objects (tests/conftest.py) are not among all.
        gc.unfreeze()
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename in names:
                code = found.__code__
                of_file = self._functions[names[code.co_filename]]
                of_file.setdefault((code.co_qualname, code.co_firstlineno), []).append(found)

    def changes(self, mutation: Mutation) -> list[tuple[FunctionType, CodeType]]:
        """The functions that a mutation changes, and their changed code.

        Empty if it changes nothing that runs, such as an annotation or a default, or is no Python.
        """
        try:
            mutated = compile(mutation.source, mutation.path, "exec")
        except SyntaxError:
            return []
        functions = self._functions[mutation.path]
        changed: list[tuple[FunctionType, CodeType]] = []
        for key, code in _code_objects(mutated):
            if key in functions and code != self._unchanged[mutation.path].get(key):
                changed += ((function, _fitted(code, function)) for function in functions[key])
        return changed


def _fitted(code: CodeType, function: FunctionType) -> CodeType:
    """Changed code for a function with a closure of which it does not use all variables any more."""
    names, used = function.__code__.co_freevars, code.co_freevars
    return code.replace(co_freevars=names) if used != names and used == names[: len(used)] else code


def _code_objects(code: CodeType) -> Iterator[tuple[_Key, CodeType]]:
    yield (code.co_qualname, code.co_firstlineno), code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_objects(constant)
