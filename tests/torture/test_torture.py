"""Short and long runs of `python -m tests.torture`, and that nothing of a run is left behind."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.acceptance.figures import Figures, count_of
from tests.torture.programs import ROOT
from tests.torture.schedule import KINDS, Fault, Schedule, draw_schedule

LIMIT_SECONDS = 480.0
GONE_SECONDS = 90.0
SHORT = (
    "kill node",
    "stop node",
    "kill database",
    "kill NATS",
    "partition",
    "partition one way",
    "delay",
    "loss",
    "cut at statement",
    "clock stepped",
    "end sessions",
    "full disk of node",
)
"""Kinds that cost little time."""


async def torture(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.torture", *arguments), cwd=ROOT, stdout=PIPE, stderr=PIPE
    )


async def run(seconds: int, seed: int, folder: Path, figures: Figures, *arguments: str) -> list[str]:
    """Run it, and check what it prints and stores. Returns the problems that it has found."""
    process = await torture(
        *("--seconds", str(seconds), "--seed", str(seed), "--folder", str(folder), *arguments)
    )
    said, complaints = await process.communicate()
    lines = said.decode().splitlines()
    figures(**dict(line.split(": ", 1) for line in lines if line.startswith(("operations: ", "faults: "))))
    assert process.returncode in (0, 1), said.decode() + complaints.decode()
    assert (lines[-2] == "verdict: clean") is (process.returncode == 0)
    assert lines[-1] == f"folder: {folder}"
    for stored in ("schedule.json", "history.jsonl", "final.json", "summary.txt", "logs/node-1.log"):
        assert (folder / stored).stat().st_size, stored
    return [line for line in lines if line.startswith("problem: ")]


@pytest.mark.gen_test(timeout=LIMIT_SECONDS)
async def test_a_short_run_is_clean(tmp_path: Path, figures: Figures) -> None:
    problems = await run(12, 7, tmp_path, figures, *(word for kind in SHORT for word in ("--only", kind)))
    # On a busy machine so little may be answered in so short a time that the run proves nothing.
    assert not [problem for problem in problems if "which proves nothing" not in problem]


@pytest.mark.soak
@pytest.mark.gen_test(timeout=7200)
async def test_a_long_run_is_clean(tmp_path: Path, figures: Figures) -> None:
    assert await run(count_of("SOAK_TORTURE_SECONDS", 600), 7, tmp_path, figures) == []


@pytest.mark.gen_test(timeout=LIMIT_SECONDS)
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
async def test_nothing_is_left_behind(tmp_path: Path, end: signal.Signals) -> None:
    process = await torture("--folder", str(tmp_path))
    outside = psutil.Process(process.pid)
    while not any(map(_is_node, started := outside.children(recursive=True))):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    process.send_signal(end)
    await process.communicate()
    async with asyncio.timeout(GONE_SECONDS):
        while any(_runs(other) for other in started):  # noqa: ASYNC110 - these are no children of ours
            await asyncio.sleep(0.1)
    assert process.returncode == (130 if end is signal.SIGINT else -end)


def _is_node(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "frontrow" in process.cmdline()
    return False


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.gen_test(timeout=LIMIT_SECONDS)
@pytest.mark.parametrize(
    "arguments",
    [("--nodes", "0"), ("--seconds", "x"), ("--only", "bad luck"), ("--replay", "/nowhere")],
    ids=lambda arguments: arguments[0],
)
async def test_a_wrong_call_has_its_own_status(arguments: tuple[str, str]) -> None:
    process = await torture(*arguments)
    _, complaints = await process.communicate()
    assert process.returncode == 2
    assert complaints


def test_a_seed_is_a_schedule(tmp_path: Path) -> None:
    schedule = draw_schedule(7, 60.0, 3)
    assert schedule == draw_schedule(7, 60.0, 3) != draw_schedule(8, 60.0, 3)
    schedule.store(tmp_path / "schedule.json")
    assert Schedule.load(tmp_path / "schedule.json") == schedule


@pytest.mark.parametrize("seed", range(20))
def test_all_kinds_come_and_none_touches_what_another_does(seed: int) -> None:
    schedule = draw_schedule(seed, 120.0, 3)
    assert {fault.kind for fault in schedule.faults} == set(KINDS)
    for number, fault in enumerate(schedule.faults):
        for earlier in schedule.faults[:number]:
            assert earlier.ends_at <= fault.at or _touched(earlier).isdisjoint(_touched(fault))


def _touched(fault: Fault) -> set[str]:
    return set(KINDS[fault.kind].touches(fault.target))
