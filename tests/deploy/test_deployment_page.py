"""docs/deployment.md: the settings are valid, the commands exist, and the numbers are right."""

import re
import shlex
from pathlib import Path

import pytest

from frontrow.database import connections_needed
from tests.deploy.compose import COMPOSE
from tests.deploy.conftest import Load
from tests.deploy.examples import PAGE, blocks_of_page, filled_in, ran, variables_in
from tests.deploy.test_examples import environment_of, unit
from tests.deploy.test_kubernetes import SECRET, WORKLOADS, container
from tests.proxies.programs import DEPLOY

TEXT = PAGE.read_text()
SETTINGS = [block for block in blocks_of_page() if block.startswith("FRONTROW_")]
COMPOSE_COMMANDS = [
    words
    for line in "\n".join(blocks_of_page()).splitlines()
    for words in re.findall(r"docker compose ([^()]+)", line)
]


@pytest.mark.parametrize("block", SETTINGS)
def test_settings_are_valid_together_with_the_example(block: str, load: Load, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    variables = variables_in(block.replace("/etc/frontrow/nats-ca.pem", str(tmp_path / "ca.pem")))
    settings = load({**environment_of(unit()), **filled_in(DEPLOY / "frontrow.env.example"), **variables})
    assert settings.production and settings.worker_count >= 1


def test_there_are_settings_for_one_machine_and_for_several() -> None:
    assert len(SETTINGS) == 2 and len(COMPOSE_COMMANDS) >= 6


@pytest.mark.parametrize("words", COMPOSE_COMMANDS)
def test_commands_of_docker_compose_exist(words: str) -> None:
    """Docker Compose rejects unknown commands and options before it shows its help."""
    command, *arguments = shlex.split(words)
    known = ran(COMPOSE, "--help").stdout
    assert re.search(rf"^  {command}\s", known, re.MULTILINE)
    values = {"--scale": "--scale=websocket=6"}
    options = [values.get(word, word) for word in arguments if word.startswith("-")]
    helped = ran(COMPOSE, command, *options, "--help")
    assert helped.returncode == 0, helped.stderr


def test_connections_are_worked_out_as_the_server_does(load: Load) -> None:
    variables = filled_in(DEPLOY / "frontrow.env.example")
    (counted,) = re.findall(r"need 3 . \(5 . 12 \+ 1\) \+ 20 = (\d+)", TEXT)
    workers = load({**variables, "FRONTROW_WORKERS": "4"})
    assert int(counted) == 3 * connections_needed(workers) + 20
    (counted,) = re.findall(r"\(3 \+ 1\) . \(8 \+ 4\) \+ 20 = (\d+)", TEXT)
    nodes = WORKLOADS["frontrow"]["spec"]["replicas"] + 1
    assert int(counted) == nodes * connections_needed(load({**variables, "FRONTROW_WORKERS": "1"})) + 20


def test_the_secret_has_all_keys_that_the_manifests_need_and_none_that_they_do_not_read() -> None:
    created = set(re.findall(r"--from-literal=([\w-]+)=", TEXT))
    read = [
        secret
        for name in WORKLOADS
        for variable in container(name)["env"]
        if (secret := variable.get("valueFrom", {}).get("secretKeyRef"))
    ]
    needed = {secret["key"] for secret in read if not secret.get("optional")}
    assert needed <= created <= {secret["key"] for secret in read}
    assert SECRET.keys() <= created
