"""Mutations change one place each, unnoticed ones are reported, and the list of equivalents is up to date."""

import subprocess
import sys
from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

from tests.mutants.equivalents import equivalents
from tests.mutants.mutations import mutations
from tests.mutants.operators import OWN_OPERATORS
from tests.mutants.rooms import ROOMS, files

SUBJECT = '''
LIMIT = 3

class Shelf:
    @property
    def full(self) -> bool | None:
        """A limit of 3."""
        return self.count >= LIMIT

async def fill(shelf, log):
    while shelf.count not in (1, shelf.count):
        log.info("filling %d", 7)
        await shelf.put(
            shelf,
        )
        shelf.count += 1
'''


@pytest.mark.parametrize("operator", OWN_OPERATORS)
def test_operators_do_what_their_examples_say(operator: type[Operator]) -> None:
    for example in operator.examples():
        changed = mutate_code(example.pre_mutation_code, operator(), example.occurrence)
        assert changed == example.post_mutation_code


def test_all_places_inside_functions_are_changed_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "subject.py"
    path.write_text(SUBJECT)
    found = mutations(str(path))
    assert {(mutation.line, mutation.after) for mutation in found} == {
        (6, "def full(self) -> bool & None:"),
        (8, "return self.count > LIMIT"),
        (8, "return self.count < LIMIT"),
        (11, "while not shelf.count not in (1, shelf.count):"),
        (11, "while shelf.count in (1, shelf.count):"),
        (11, "while shelf.count not in ( 2, shelf.count):"),
        (11, "while shelf.count not in ( 0, shelf.count):"),
        (12, 'log.info("filling %d", 8)'),
        (12, 'log.info("filling %d", 6)'),
        (13, "pass"),
        (16, "shelf.count -= 1"),
        (16, "shelf.count += 2"),
        (16, "shelf.count += 0"),
    }
    for mutation in found:
        compile(mutation.source, mutation.path, "exec")
        assert mutation.line in mutation.lines


def test_a_change_that_is_noticed_is_told_from_one_that_is_not() -> None:
    tried = _run("engine/prices.py", "engine/scarcity.py", "--tests", "tests/engine/test_prices.py")
    assert tried.returncode == 1
    *_, prices, scarcity, everything = tried.stdout.splitlines()
    assert prices.startswith("engine/prices.py: ") and " 0 noticed" not in prices
    assert scarcity.startswith("engine/scarcity.py: ") and " 0 noticed" in scarcity
    assert everything.startswith("all: ")
    assert "unreached: engine/scarcity.py:" in tried.stdout


def test_a_change_is_tried_that_leaves_a_variable_of_a_closure_unused() -> None:
    """The constructors of errors refer to their class for `super()` only."""
    tried = _run("engine/waitlist_errors.py", "--tests", "tests/engine/test_messages.py")
    assert (tried.returncode, "- super().__init__(" in tried.stdout) == (0, False)


def test_files_outside_the_rooms_are_a_wrong_call() -> None:
    assert _run("api/errors.py").returncode == 2


def test_a_call_that_tries_nothing_says_so() -> None:
    tried = _run("engine/prices.py", "--only", "no such line")
    assert tried.returncode == 2
    assert "No mutation was tried" in tried.stderr


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.mutants", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)  # noqa: S603


def test_rooms_name_files_and_tests_that_exist() -> None:
    for room in ROOMS:
        for pattern in room.code + room.tests:
            assert list(Path().glob(pattern)), pattern


def test_equivalents_of_all_files_are_about_lines_that_exist() -> None:
    texts = "".join(Path(path).read_text() for room in ROOMS for path in files(room))
    for entry in equivalents():
        assert entry.path or entry.before in texts, entry


def test_equivalents_of_a_file_cover_mutations_of_it() -> None:
    tried = {entry.path: mutations(entry.path) for entry in equivalents() if entry.path}
    stale = [entry for entry in equivalents() if entry.path and not any(map(entry.covers, tried[entry.path]))]
    assert stale == []


def test_an_equivalent_covers_no_other_mutation() -> None:
    (entry, *_) = (entry for entry in equivalents() if entry.path == "engine/lease.py")
    covered = [mutation for mutation in mutations("engine/lease.py") if entry.covers(mutation)]
    assert [(mutation.before, mutation.after) for mutation in covered] == [(entry.before, entry.after)]
