"""`frontrow bench` from its command line to its files, in tiny sizes, on what the test environment has."""

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.machine import placement_of
from bench.peers import PEERS, module_of
from bench.plan import SMALL
from bench.revision import BASELINE, NoSuchRevision, unpack
from bench.scenarios import SCENARIOS
from frontrow.cli import main
from tests.acceptance.server_process import ServerProcess

START_SECONDS, POLL_SECONDS = 240.0, 0.05


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def test_a_run_measures_judges_and_stores(empty_data_directory: Path) -> None:
    output = empty_data_directory / "results" / "run.json"
    cores_before = os.sched_getaffinity(0)
    ran = bench(
        *("hold", "--small", "--rounds", 1, "--seconds", 0.1),
        *("--output", output, "--data-dir", empty_data_directory),
    )
    assert ran.exit_code == 0, ran.output
    assert os.sched_getaffinity(0) == cores_before
    assert list(empty_data_directory.iterdir()) == [output.parent], "databases were left behind"

    document = json.loads(output.read_text())
    assert document["failures"] == {}
    assert document["machine"]["placement"]["server"] == [max(cores_before)]
    assert document["results"].keys() == {"hold"}
    for name, measured in document["results"].items():
        assert measured["figure"] == SCENARIOS[name].figure
        for figures in measured["samples"].values():
            assert {len(rounds) for rounds in figures.values()} == {1}
            assert min(figures[measured["figure"]]) > 0

    holds = document["results"]["hold"]["samples"]
    assert set(holds["frontrow"]["success"]) == {1.0}
    assert {"frontrow", "frontrow-distinct", "tornado-noop"} <= holds.keys()
    # Peers that cannot be run here are named instead; a shallow clone lacks the other revision.
    absent = {BASELINE, "fastapi-postgres", "asgi-noop"} - holds.keys()
    assert {notice.split(":")[0] for notice in document["notices"]} == {f"without {name}" for name in absent}

    (noop,) = [
        line
        for line in document["thresholds"]
        if (line["scenario"], line.get("against")) == ("hold", "tornado-noop")
    ]
    assert noop["at_least"] == 4.0
    assert noop["low"] <= noop["high"]
    assert "| REST hold of two seats, JWT, real engine and journal | tornado-noop | ≥ 4 |" in ran.stdout


def test_stopping_a_run_leaves_nothing_running(empty_data_directory: Path) -> None:
    command = [sys.executable, "-m", "frontrow", "bench", "fan-out", "--small", "--seconds", "60"]
    running = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--data-dir", str(empty_data_directory)], stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        # The last thing that is started before the first round.
        while not list(empty_data_directory.glob("*/tornado-broadcast-*.log")):
            assert running.poll() is None and time.monotonic() < deadline, "the last peer was not started"
            time.sleep(POLL_SECONDS)
        running.terminate()
        _, said = running.communicate(timeout=START_SECONDS)
    finally:
        running.kill()
        running.wait()
    assert (running.returncode, said.decode().splitlines()[-1]) == (1, "Aborted!")
    assert not list(empty_data_directory.iterdir())
    commands = (process.read_bytes() for process in Path("/proc").glob("[0-9]*/cmdline"))
    assert not any(str(empty_data_directory).encode() in command for command in commands)


def test_thresholds_that_are_missed_show_in_the_exit_status(empty_data_directory: Path) -> None:
    ran = bench("engine", "--small", "--rounds", 1, "--data-dir", empty_data_directory, "--thresholds")
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("| engine alone")]
    assert ran.exit_code == (0 if line.endswith("| yes |") else 1)


def test_holds_at_another_node_are_measured_beside_their_messages(
    empty_data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.scenarios.forwarding.TOGETHER", (8,))
    output = empty_data_directory / "results" / "run.json"
    ran = bench(
        "forwarding", "--small", "--rounds", 1, "--output", output, "--data-dir", empty_data_directory
    )
    assert ran.exit_code == 0, ran.output
    samples = json.loads(output.read_text())["results"]["forwarding"]["samples"]
    assert samples.keys() == {"local", "forwarded-8", "records-8", "messages-8"}
    assert min(min(figures["cpu_us"]) for figures in samples.values()) > 0


def test_storms_are_measured_by_what_others_notice(empty_data_directory: Path) -> None:
    output = empty_data_directory / "results" / "run.json"
    ran = bench(
        *("storms", "--small", "--rounds", 1, "--seconds", 0.1),
        *("--output", output, "--data-dir", empty_data_directory),
    )
    assert ran.exit_code == 0, ran.output
    samples = json.loads(output.read_text())["results"]["storms"]["samples"]
    stopped, slow, storm = (
        {name: value for name, (value,) in samples[contender].items()}
        for contender in ("stopped-readers", "slow-handshakes", "reconnect-storm")
    )
    assert stopped["clients"] == SMALL.readers
    assert min(stopped["p99_ms"], stopped["calm_p99_ms"], stopped["p99_ratio"]) > 0
    assert slow["connections_limit"] < slow["clients"] == SMALL.slow_heads
    assert min(slow["answered"], slow["sockets"]) > 0, slow
    assert storm["clients"] == SMALL.storm_clients
    assert storm["answered"] > 0
    assert storm["back_seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "'nothing' is not one of 'hold'"),
        (("--rounds", 0), "0 is not in the range"),
        (("--seconds", 0), "0.0 is not in the range"),
        (("--revision", "deadbeef"), "git has no revision 'deadbeef'"),
        (("--plot", "results.gif"), "it must end in .png or .svg"),
        (("--data-dir", "/nowhere"), "Directory '/nowhere' does not exist"),
    ],
)
def test_wrong_usage_is_said_in_words(arguments: tuple, said: str) -> None:
    failed = bench(*arguments)
    assert failed.exit_code == 2
    assert said in failed.output


def test_the_help_names_every_scenario() -> None:
    helped = bench("--help")
    assert helped.exit_code == 0
    assert all(f" {name} " in helped.output for name in SCENARIOS)


def test_an_installation_without_the_harness_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bench.command", None)
    failed = bench("hold")
    assert failed.exit_code == 1
    assert "needs a checkout" in failed.output


def test_another_revision_is_unpacked_from_git(tmp_path: Path) -> None:
    unpack("HEAD", tmp_path)
    assert (tmp_path / "frontrow" / "__main__.py").is_file()
    with pytest.raises(NoSuchRevision, match="deadbeef"):
        unpack("deadbeef", tmp_path)


@pytest.mark.gen_test
async def test_a_server_of_another_checkout_runs_its_code(tmp_path: Path) -> None:
    package = tmp_path / "frontrow"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("print('\"the other\"')")
    server = ServerProcess(tmp_path, code_directory=tmp_path)
    assert await server.command("anything") == "the other"


def test_every_peer_is_a_module_that_says_what_it_needs() -> None:
    assert all(find_spec(module_of(name)) for name in PEERS)


@pytest.mark.parametrize(
    ("cores", "placement"),
    [
        ({0, 1, 2, 3}, ({3}, {0}, {1, 2})),
        ({0, 1}, ({1}, {0}, {0})),
        ({5}, ({5}, {5}, {5})),
    ],
)
def test_servers_have_a_core_to_themselves_where_there_are_two(cores: set, placement: tuple) -> None:
    assert placement_of(frozenset(cores)) == placement
