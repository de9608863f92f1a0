"""The planted bugs: that they can be planted, that quick ones are found, and in `make soak` that all are."""

from pathlib import Path

import pytest

from tests.planted.bugs import Bug, NotPlanted, copied_tree, read_bugs
from tests.planted.finders import complaints, find

BUGS = read_bugs()


def test_every_bug_can_be_planted() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
    for bug in BUGS:
        text = bug.mutated()
        if bug.file.endswith(".py"):
            compile(text, bug.file, "exec")


def test_a_bug_cannot_be_planted_in_code_that_has_changed() -> None:
    with pytest.raises(NotPlanted, match="occurs 0 times"):
        BUGS[0]._replace(old="what was never there").mutated()


def test_a_copy_is_changed_and_nothing_else() -> None:
    bug = BUGS[0]
    before = Path(bug.file).read_text()
    with copied_tree(bug) as tree:
        assert (tree / bug.file).read_text() == bug.mutated() != before
    assert Path(bug.file).read_text() == before
    assert not tree.exists()


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.quick], ids=lambda bug: bug.name)
def test_a_quick_one_is_found(bug: Bug) -> None:
    outcome = find(bug)
    assert outcome.found, outcome.said


def test_what_is_not_wrong_is_not_found() -> None:
    bug = next(bug for bug in BUGS if bug.quick)
    assert not find(bug._replace(new=bug.old, histories=5)).found


@pytest.mark.soak
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_is_found(bug: Bug) -> None:
    outcome = find(bug)
    assert outcome.found, outcome.said


@pytest.mark.soak
def test_nothing_is_found_in_the_code_as_it_is() -> None:
    assert complaints(BUGS) == []
