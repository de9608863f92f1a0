"""`frontrow nodes` and `frontrow drain`, over a real NATS server, and what a node tells about itself."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cluster.beats import Facts, Load, disagreement
from frontrow.cli import main
from frontrow.node import facts_of, rules_of
from frontrow.settings import Settings
from tests.api.cinema import eventually
from tests.cluster.heartbeats import Member, fleet
from tests.nats import own_nats_server
from tests.signing_keys import STRONG_SECRET

OTHER_SECRET = STRONG_SECRET[::-1]
OTHER = Facts("1", "other", "10.0.0.2:8000", "host", "1", 1, 0.0)


async def frontrow(tmp_path: Path, *arguments: str, **environment: str) -> Result:
    # The commands listen longer than the nodes need between two beats, also on a busy machine.
    fast = {"FRONTROW_NODE_HEARTBEAT_SECONDS": "0.4", "FRONTROW_NODE_GONE_SECONDS": "1.6", **environment}
    line = [*arguments, "--data-dir", str(tmp_path)]
    return await asyncio.to_thread(CliRunner().invoke, main, line, env=fast)


@pytest.mark.gen_test
@pytest.mark.usefixtures("io_loop")
class TestCommands:
    async def test_nodes_are_listed(self, tmp_path: Path) -> None:
        async with own_nats_server(tmp_path) as server, fleet(server.url) as nodes:
            first, second = await nodes.join("left"), await nodes.join("right")
            listed = await frontrow(tmp_path, "nodes", FRONTROW_NATS_URL=server.url)
            heading, *lines = listed.stdout.splitlines()
            assert heading.split() == "NAME MARK ADDRESS VERSION STATE SCREENINGS SOCKETS LAG".split()
            assert [line.split() for line in lines] == [
                ["left", first.mark, "127.0.0.1:8000", "1.0", "serving", "3", "2", "0.010", "s"],
                ["right", second.mark, "127.0.0.1:8000", "1.0", "serving", "3", "2", "0.010", "s"],
            ]
            await second.stop()
            as_json = await frontrow(tmp_path, "nodes", "--json", FRONTROW_NATS_URL=server.url)
            assert [(node["name"], node["state"]) for node in json.loads(as_json.stdout)] == [
                ("left", "serving"),
                ("right", "gone"),
            ]
            (left, _) = json.loads(as_json.stdout)
            assert {"address", "version", "screenings", "sockets", "lag_seconds"} <= left.keys()

    async def test_the_log_names_the_nodes_that_come_and_go(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "frontrow.cluster")
        async with own_nats_server(tmp_path) as server, fleet(server.url) as nodes:
            await nodes.join("left")
            second = await nodes.join("right")
            await second.stop()
            await eventually(lambda: caplog.messages.count(f"node right ({second.mark}) is gone") == 2)

    async def test_the_embedded_nats_server_is_found_in_the_data_directory(self, tmp_path: Path) -> None:
        async with own_nats_server(tmp_path) as server, fleet(server.url) as nodes:
            await nodes.join("left")
            assert "left" in (await frontrow(tmp_path, "nodes")).stdout

    async def test_a_node_is_drained(self, tmp_path: Path) -> None:
        async with own_nats_server(tmp_path) as server, fleet(server.url) as nodes:
            first, second = await nodes.join("left"), await nodes.join("right")
            second.membership.on_change(lambda before, after: _hand_over(second))
            drained = await frontrow(tmp_path, "drain", "right")
            assert drained.exit_code == 0, drained.output
            assert drained.stdout == "right owns no screenings\n"
            assert drained.stderr == "right owns 3 screenings\n"
            await eventually(lambda: first.sees(second) == "draining")
            last = await frontrow(tmp_path, "drain", first.mark)
            assert (last.exit_code, last.stderr) == (
                1,
                f"Error: {first.mark} cannot be drained: no other node serves, so nobody could take over\n",
            )
            unknown = await frontrow(tmp_path, "drain", "middle")
            assert "There is no node middle; `frontrow nodes` lists all" in unknown.stderr

    async def test_a_node_that_is_gone_cannot_be_drained(self, tmp_path: Path) -> None:
        async with own_nats_server(tmp_path) as server, fleet(server.url) as nodes:
            await nodes.join("left")
            await (await nodes.join("right")).stop()
            assert "Node right is gone" in (await frontrow(tmp_path, "drain", "right")).stderr

    async def test_errors_say_what_to_do(self, tmp_path: Path) -> None:
        for command in (["nodes"], ["drain", "left"]):
            alone = await frontrow(tmp_path, *command)
            assert alone.exit_code == 1
            assert "set FRONTROW_NATS_URL" in alone.stderr and "Traceback" not in alone.output
            away = await frontrow(tmp_path, *command, FRONTROW_NATS_URL="nats://127.0.0.1:1")
            assert away.exit_code == 1 and "Traceback" not in away.output and "NATS" in away.stderr
        async with own_nats_server(tmp_path) as server, fleet(server.url) as one, fleet(server.url) as other:
            empty = await frontrow(tmp_path, "nodes")
            assert "No node of a cluster uses these NATS servers" in empty.stderr
            await one.join()
            await other.join()
            assert "More than one cluster uses" in (await frontrow(tmp_path, "nodes")).stderr


def _hand_over(member: Member) -> None:
    """Report after half a second that the node owns no screenings any more."""
    asyncio.get_running_loop().call_later(0.5, setattr, member, "load", Load(0, 2, 0.0))


class TestRules:
    SETTINGS = Settings(jwt_secret=STRONG_SECRET, personal_data_key=STRONG_SECRET)

    def _complaint(self, **others: object) -> str | None:
        return disagreement(rules_of(self.SETTINGS), rules_of(replace(self.SETTINGS, **others)), OTHER)

    def test_nodes_with_equal_settings_agree(self) -> None:
        assert self._complaint() is None
        assert self._complaint(port=8001, database_pool_size=3, node_name="other") is None

    @pytest.mark.parametrize(
        "others",
        [
            {"hold_seconds": 10.0},
            {"payment_window_seconds": 10.0},
            {"node_gone_seconds": 9.0},
            {"jwt_secret": OTHER_SECRET},
            {"personal_data_key": OTHER_SECRET},
            {"jwt_algorithm": "EdDSA"},
        ],
    )
    def test_the_setting_that_differs_is_named(self, others: dict[str, object]) -> None:
        (name,) = others
        complaint = self._complaint(**others)
        assert complaint and complaint.startswith(f"FRONTROW_{name.upper()} is ")
        assert "on all nodes" in complaint and "10.0.0.2:8000" in complaint

    def test_a_secret_can_be_rotated(self) -> None:
        assert self._complaint(jwt_old_secrets=(OTHER_SECRET,)) is None
        new = replace(self.SETTINGS, jwt_secret=OTHER_SECRET, jwt_old_secrets=(STRONG_SECRET,))
        old = replace(self.SETTINGS, jwt_old_secrets=(OTHER_SECRET,))
        assert disagreement(rules_of(new), rules_of(old), OTHER) is None
        assert disagreement(rules_of(new), rules_of(self.SETTINGS), OTHER)

    def test_secrets_are_not_told(self) -> None:
        assert STRONG_SECRET not in str(rules_of(self.SETTINGS))

    def test_a_node_has_a_name_and_an_address_with_its_port(self) -> None:
        facts = facts_of(replace(self.SETTINGS, host="::1"), "0badc0de", 8080)
        assert (facts.mark, facts.address) == ("0badc0de", "[::1]:8080")
        assert facts.name != facts_of(replace(self.SETTINGS, node_name="box"), "0badc0de", 8080).name == "box"

    @pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - nothing listens
    def test_a_node_on_all_addresses_is_at_its_machine(self, host: str) -> None:
        facts = facts_of(replace(self.SETTINGS, host=host), "0badc0de", 8080)
        assert facts.address == f"{facts.host}:8080"
