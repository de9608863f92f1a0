"""Runs the tests of a room once as they are, then for each mutation in a forked process, until one fails.

Pytest collects once. A forked process only changes the code of some functions and runs the tests that reach
the changed lines: first those that have noticed other mutations, then the quick ones. So most mutations take
a tenth of a second.
"""

import gc
import os
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import coverage
import pytest
from _pytest.runner import CallInfo

from tests.mutants.code_swap import LoadedFunctions
from tests.mutants.mutations import Mutation

KILLED, ALIVE, UNREACHED = "killed", "alive", "unreached"

_PATIENCE_SECONDS = 20
"""Seconds a test may take beyond `_SLOWER` times its former duration; then the mutation is taken to loop."""
_SLOWER = 50
_MEMORY_BYTES = 4 << 30
"""A mutation may also fill a list for ever."""


class Trials:
    """A plugin of pytest that tries mutations instead of running each test once.

    Args:
        mutations: what to try.
        slow: whether a test is slow, given its id.
        thorough: whether slow tests run if no other test has noticed a mutation; else they never run.
        report: called with each mutation that changes code, and its result.
    """

    def __init__(
        self,
        mutations: list[Mutation],
        slow: Callable[[str], bool],
        thorough: bool,
        report: Callable[[Mutation, str], None],
    ) -> None:
        self._mutations = mutations
        self._slow = slow
        self._thorough = thorough
        self._report = report
        self._failed = False
        self._seconds: dict[str, float] = {}
        self._finders: Counter[str] = Counter()

    def pytest_collection(self) -> None:
        # Pytest rewrites the assertions of Hypothesis, so it must not be imported before pytest starts.
        import hypothesis

        # Failing examples are neither stored nor made smaller, and each run has the same ones.
        hypothesis.settings.register_profile(
            "mutants",
            deadline=None,
            database=None,
            derandomize=True,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )
        hypothesis.settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: CallInfo[None]) -> None:
        self._failed = self._failed or call.excinfo is not None
        self._seconds[item.nodeid] = self._seconds.get(item.nodeid, 0.0) + call.duration

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("tests cannot be collected")
        quick = [item for item in session.items if not self._slow(item.nodeid)]
        slow = [item for item in session.items if self._slow(item.nodeid)] if self._thorough else []
        paths = sorted({mutation.path for mutation in self._mutations})
        reached = self._run_unchanged(session, quick, paths)
        functions = LoadedFunctions(paths)
        # Otherwise each forked process copies whatever its garbage collector looks at.
        gc.freeze()
        for mutation in self._mutations:
            if not (changes := functions.changes(mutation)):
                continue
            names = set().union(*(reached[mutation.path].get(line, ()) for line in mutation.lines))
            items = [item for item in quick if item.nodeid in names]
            items.sort(key=lambda item: (-self._finders[item.nodeid], self._seconds[item.nodeid]))
            finder = self._try(session, [*items, *slow], changes)
            if finder:
                self._finders[finder] += 1
            self._report(mutation, KILLED if finder else ALIVE if items or slow else UNREACHED)
        return True

    def _run_unchanged(
        self, session: pytest.Session, items: list[pytest.Item], paths: list[str]
    ) -> dict[str, dict[int, list[str]]]:
        """Run the tests as they are. Returns for each file and line the tests that reach it."""
        measured = coverage.Coverage(data_file=None, config_file=False, include=paths)
        with measured.collect():
            for item in items:
                measured.switch_context(item.nodeid)
                self._run(session, item)
                if self._failed:
                    raise session.Failed(f"{item.nodeid} fails without any mutation")
        data = measured.get_data()
        return {path: data.contexts_by_lineno(os.path.abspath(path)) for path in paths}

    def _run(self, session: pytest.Session, item: pytest.Item) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=_Next(session))

    def _try(self, session: pytest.Session, items: list[pytest.Item], changes: list[Any]) -> str:
        """Returns the name of the test that fails, or an empty string."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            with _last_breath():
                session.config.pluginmanager.unregister(name="terminalreporter")
                for function, code in changes:
                    function.__code__ = code
                for item in items:
                    os.write(writing, f"{item.nodeid}\n".encode())
                    signal.alarm(round(_PATIENCE_SECONDS + _SLOWER * self._seconds.get(item.nodeid, 60.0)))
                    self._run(session, item)
                    if self._failed:
                        os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as lines:
            started = lines.read().splitlines()
        _, status = os.waitpid(child, 0)
        return started[-1] if status and started else ""


class _Next:
    """Stands for the next test, so that only the fixtures of the session stay."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


@contextmanager
def _last_breath() -> Iterator[None]:
    """A forked process is silent, and ends here whatever happens: status 0 if nothing was raised."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        yield
    except BaseException:
        os._exit(1)
    os._exit(0)
