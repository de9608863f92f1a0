"""Known bad histories: each must be found, and nothing else."""

import pytest

from tests.torture import bad_histories, bad_several
from tests.torture.breaking import BAD
from tests.torture.stories import Story


@pytest.mark.parametrize("name", BAD)
def test_bad_history_is_found(name: str) -> None:
    kind, tell = BAD[name]
    story = Story()
    tell(story)
    verdict = story.judged()
    assert not verdict.clean, name
    found = {finding.kind for finding in verdict.findings}
    assert kind in found, verdict
    assert found <= {kind, "no order", "seat sold twice"}, verdict


def test_there_are_enough() -> None:
    assert len(BAD) >= 80
    assert {tell.__module__ for _, tell in BAD.values()} == {bad_histories.__name__, bad_several.__name__}


def test_a_finding_shows_only_what_contradicts() -> None:
    story = Story()
    for turn in range(0, 400, 8):
        story.hold("ada", 1, (turn, turn + 1))
        story.look((turn + 2, turn + 3), 1, "reserved", "ada")
        story.release("ada", 1, (turn + 4, turn + 5))
        story.look((turn + 6, turn + 7), 1, "available")
    story.hold("ada", 1, (400, 401))
    story.look((402, 403), 1, "reserved", "ada")
    story.hold("joan", 1, (404, 405))
    (finding,) = story.judged().findings
    assert len(finding.records) == 2
    assert "404.000 joan hold seats 1" in finding.records[1]
