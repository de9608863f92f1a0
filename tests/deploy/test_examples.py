"""The examples in `deploy/` result in a server that starts, and the programs they are for accept them."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from frontrow.settings import load_settings
from tests.deploy.conftest import Load
from tests.deploy.examples import DATABASE_URL, SITE, filled_in, ran
from tests.proxies.programs import (
    CADDY,
    DEPLOY,
    caddy_environment,
    free_port,
    nginx_command,
    nginx_site,
)

UNITS = ("frontrow", "frontrow-nats")


def unit(name: str = "frontrow") -> dict[str, list[str]]:
    """Return the values in a unit by name; some names occur more than once."""
    values: dict[str, list[str]] = {}
    for line in (DEPLOY / f"{name}.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            field, value = line.split("=", 1)
            values.setdefault(field, []).append(value)
    return values


def environment_of(service: dict[str, list[str]]) -> dict[str, str]:
    words = (word for line in service["Environment"] for word in shlex.split(line))
    return dict(word.split("=", 1) for word in words)


def test_the_units_environment_is_that_of_production(load: Load) -> None:
    settings = load({**environment_of(unit()), **filled_in(DEPLOY / "frontrow.env.example")})
    assert settings.production
    assert (settings.public_url, settings.database_url) == (SITE, DATABASE_URL)
    assert [str(network) for network in settings.trusted_proxies] == ["127.0.0.1/32"]
    assert str(settings.data_dir) == f"/var/lib/{unit()['StateDirectory'][0]}"
    assert (settings.nats_url, settings.worker_count) == ((), 1)


@pytest.mark.parametrize("name", UNITS)
def test_units_are_hardened(name: str) -> None:
    values = unit(name)
    assert "DynamicUser" in values and values["CapabilityBoundingSet"] == [""]
    strict = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces")
    assert all(values[field] == ["yes"] for field in strict)
    assert values["ProtectSystem"] == ["strict"]


@pytest.mark.parametrize("name", UNITS)
def test_units_start_again_as_often_as_it_takes(name: str) -> None:
    """After a power cut, the database or NATS may be up later than the server."""
    values = unit(name)
    assert values["Restart"] in (["on-failure"], ["always"])
    assert values["StartLimitIntervalSec"] == ["0"]


def test_the_unit_reloads_and_ends_the_main_process_only() -> None:
    values = unit()
    assert values["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert values["KillMode"] == ["mixed"]
    assert int(values["TimeoutStopSec"][0]) > load_settings().end_seconds


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_units(tmp_path: Path, name: str) -> None:
    """Uses systemd's own check if it is installed; the tests above check the units in any case."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    path = tmp_path / f"{name}.service"
    # The program must exist.
    path.write_text(re.sub(r"\bExecStart=\S+", "ExecStart=/bin/true", (DEPLOY / path.name).read_text()))
    checked = ran(analyze, "verify", "--recursive-errors=no", "--man=no", path)
    complaints = [line for line in checked.stderr.splitlines() if "frontrow" in line]
    assert (checked.returncode, complaints) == (0, []), checked.stderr


def test_nginx_accepts_its_example(tmp_path: Path) -> None:
    nginx_site(tmp_path, free_port(), 8000)
    checked = ran(*nginx_command(tmp_path, "-t"))
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


@pytest.mark.parametrize(
    ("example", "variables", "expected"),
    [
        ("Caddyfile", {}, '{"dial":"127.0.0.1:8000"}'),
        (
            "Caddyfile",
            {"FRONTROW_SITE": "localhost", "FRONTROW_UPSTREAM": "frontrow:8000"},
            '{"dial":"frontrow:8000"}',
        ),
        ("Caddyfile.cluster", {}, '"name":"nodes.example.com","port":"8000"'),
        ("Caddyfile.cluster", {"FRONTROW_SITE": "tickets.example.com, http://:8000"}, '"listen":[":8000"]'),
        (
            "Caddyfile.cluster",
            {"FRONTROW_NODES": "websocket", "FRONTROW_TRUSTED_PROXIES": "172.30.117.1"},
            '"ranges":["172.30.117.1"]',
        ),
    ],
)
def test_caddy_accepts_its_examples(
    tmp_path: Path, example: str, variables: dict[str, str], expected: str
) -> None:
    path = DEPLOY / example
    options = ("--adapter", "caddyfile", "--config", path)
    environment = caddy_environment(tmp_path, **variables)
    checked = ran(CADDY, "validate", *options, environment=environment)
    assert checked.returncode == 0, checked.stderr
    assert '"level":"warn"' not in checked.stderr
    assert expected in ran(CADDY, "adapt", *options, environment=environment).stdout
    assert ran(CADDY, "fmt", path, environment=environment).stdout == path.read_text()
