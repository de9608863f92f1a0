"""Stored runs: what the command says of a folder, and records that cannot be judged."""

from pathlib import Path

import orjson
import pytest

from tests.torture import judge, volume
from tests.torture.history import BadHistory, parse
from tests.torture.stories import Story


def stored(folder: Path, story: Story) -> str:
    """Store a story as a run does. Returns the folder's name."""
    lines = b"\n".join(map(orjson.dumps, reversed(story.records)))
    (folder / "history.jsonl").write_bytes(lines)
    (folder / "final.json").write_bytes(orjson.dumps(story.final))
    return str(folder)


def test_a_clean_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    story.fault("kill", "node-1", 20, 22)
    story.ends((1, "reserved", "ada"))
    assert judge.main([stored(tmp_path, story)]) == 0
    said = capsys.readouterr().out
    assert "operations: 1 (1 succeeded, 0 refused, 0 without an answer)" in said
    assert "faults: 1 (kill 1)" in said
    assert "acknowledged holds: 1 (kept 1)" in said
    assert said.endswith("verdict: clean\n")


def test_a_wrong_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    story.hold("joan", 1, (2, 3))
    assert judge.main([stored(tmp_path, story)]) == 1
    said = capsys.readouterr().out
    assert "no order: screening 1, seat 1: No order of the requests explains op 2 (took).\n" in said
    assert "    op 1: 0.000 ada hold seats 1 -> 1.000 201 (until 301)\n" in said
    assert said.endswith("verdict: 1 finding\n")


def test_a_finding_names_what_was_seen_of_the_seat() -> None:
    story = Story()
    story.hold("ada", 1, (0, 1))
    seats = [{"seat": seat, "status": "available"} for seat in range(100)]
    story.ask("look", "grace", (2, 3), data={"seats": seats})
    (finding,) = story.judged().findings
    assert finding.records[1] == "op 2: 2.000 grace look -> 3.000 saw free"


def long_story(turns: int) -> Story:
    story = Story()
    for turn in range(0, 4 * turns, 4):
        story.hold("ada", 1, (turn, turn + 1))
        story.release("ada", 1, (turn + 2, turn + 3))
    return story


def test_what_is_not_decided_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.torture.verdict.STEPS_LIMIT", 20)
    verdict = long_story(50).judged()
    (finding,) = verdict.findings
    assert (finding.kind, verdict.undecided) == ("not decided", 1)
    assert "\nnot decided: 1\n" in str(verdict)


def test_a_contradiction_decides_what_is_too_long_to_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.torture.verdict.STEPS_LIMIT", 20)
    story = Story()
    for user in ("mary", "hedy", "radia", "barbara", "frances", "karen"):
        story.ask("hold", user, (0, None), [1])
        story.ask("release", user, (0, None), [1])
    story.hold("joan", 1, (1, 2))
    story.hold("grace", 1, (3, 4))
    verdict = story.judged()
    assert ([finding.kind for finding in verdict.findings], verdict.undecided) == (["no order"], 0)


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge.main([str(tmp_path)]) == 2
    assert "cannot be judged" in capsys.readouterr().err


INVOKED = {"kind": "invoke", "op": 1, "time": 1, "action": "hold"}
RETURNED = {"kind": "return", "op": 1, "time": 2, "status": 201}


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([{"kind": "guess"}], "'guess' are not known"),
        ([{}], "KeyError"),
        ([{"kind": "invoke", "op": 1, "action": "hold"}], "KeyError"),
        ([INVOKED, INVOKED], "op 1 is sent twice"),
        ([RETURNED], "KeyError"),
        ([INVOKED, RETURNED, RETURNED], "two answers"),
        ([INVOKED, {**RETURNED, "time": 0.5}], "answered before it is sent"),
    ],
)
def test_records_that_cannot_be_understood(records: list[dict], reason: str) -> None:
    with pytest.raises(BadHistory, match=reason):
        parse(records)


def test_a_server_that_does_not_know_has_not_answered() -> None:
    for status, code in ((500, None), (502, None), (503, "outcome_unknown")):
        history = parse([INVOKED, {**RETURNED, "status": status, "code": code}])
        assert history.operations[0].unknown
    assert parse([INVOKED, {**RETURNED, "status": 503, "code": "overloaded"}]).operations[0].refused


def test_many_operations(capsys: pytest.CaptureFixture[str]) -> None:
    assert volume.main(["--operations", "2000"]) == 0
    assert capsys.readouterr().out.count("clean") == len(volume.SALES)


@pytest.mark.soak
def test_a_hundred_thousand_operations() -> None:
    assert volume.main([]) == 0
