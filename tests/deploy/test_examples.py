"""The examples in `deploy/` result in a server that starts, and the programs they are for accept them."""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from frontrow.settings import PREFIX, TABLE, Settings, SettingsError, load_settings
from frontrow.supervision import END_SECONDS
from tests.deploy.compose import (
    PROJECT,
    VariableMissing,
    env_file,
    environment_of,
    services,
    variables_of,
)
from tests.proxies.programs import (
    CADDY,
    DEPLOY,
    caddy_environment,
    free_port,
    nginx_command,
    nginx_site,
    replaced,
)

BASE = ("compose.yaml",)
WITH_TLS = ("compose.yaml", "deploy/compose.tls.yaml")
PROJECTS = {"compose.yaml": BASE, "with TLS": WITH_TLS}
DATABASE_URL = "postgresql://frontrow:hush@localhost:5432/frontrow"
SITE = "https://tickets.example.com"

Load = Callable[[Mapping[str, str]], Settings]


def filled_in(path: Path) -> dict[str, str]:
    """Return the variables of an example with the empty values filled in."""
    random = {"FRONTROW_DATABASE_URL": DATABASE_URL, "POSTGRES_PASSWORD": secrets.token_hex(24)}
    made = {name: value or random.get(name, "") for name, value in env_file(path).items()}
    for name in ("FRONTROW_JWT_SECRET", "FRONTROW_PERSONAL_DATA_KEY"):
        assert made[name] == "", "examples must not contain a secret that an operator might keep"
        made[name] = secrets.token_urlsafe(48)
    return made


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads an environment through the settings, without the tests' own variables."""

    def load_one(environment: Mapping[str, str]) -> Settings:
        for name in list(os.environ):
            if name.startswith(PREFIX):
                monkeypatch.delenv(name)
        ours = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        unknown = ours.keys() - {setting.variable for setting in TABLE.values()}
        assert not unknown, f"no settings: {unknown}"
        for name, value in ours.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load_one


def container_of(files: tuple[str, ...], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the server's container."""
    filled = filled_in(PROJECT / ".env.example") if given is None else given
    return environment_of(services(filled, *files)["frontrow"])


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_containers_have_all_settings_for_production(files: tuple[str, ...], load: Load) -> None:
    settings = load(container_of(files))
    assert settings.production
    assert (settings.public_url, settings.metrics_open) == (SITE, False)
    assert settings.database_url.endswith("@postgres:5432/frontrow")


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_missing_required_variables_are_reported(files: tuple[str, ...]) -> None:
    example = filled_in(PROJECT / ".env.example")
    assert variables_of(*files) <= example.keys()
    for name in variables_of(*files):
        with pytest.raises(VariableMissing, match=name):
            container_of(files, {**example, name: ""})


@pytest.mark.parametrize("name", ["FRONTROW_JWT_SECRET", "FRONTROW_PERSONAL_DATA_KEY"])
def test_production_does_not_start_without_a_secret(name: str, load: Load) -> None:
    environment = container_of(BASE)
    del environment[name]
    with pytest.raises(SettingsError, match=name):
        load(environment)


def test_only_caddy_and_the_guides_are_reached_from_outside() -> None:
    project = services(filled_in(PROJECT / ".env.example"), *WITH_TLS)
    open_to_all = {
        name: [port for port in service["ports"] if not port.startswith("127.0.0.1:")]
        for name, service in project.items()
    }
    assert {name: ports for name, ports in open_to_all.items() if ports} == {"caddy": ["80:80", "443:443"]}


def test_containers_fit_together(load: Load) -> None:
    project = services(filled_in(PROJECT / ".env.example"), *WITH_TLS)
    settings = load(environment_of(project["frontrow"]))
    published = {port.rsplit(":", 1)[1] for port in project["frontrow"]["ports"]}
    assert published == {str(port) for port in (settings.port, *settings.extra_ports)}
    assert [str(network) for network in settings.trusted_proxies] == [
        f"{project['caddy']['networks']['front']['ipv4_address']}/32"
    ]
    assert environment_of(project["caddy"])["FRONTROW_UPSTREAM"] == f"frontrow:{settings.port}"
    assert settings.smtp_url == "smtp://mailpit:1025"
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"frontrow:{settings.metrics_port}"]
    assert "frontrow" in settings.host_names
    for name, service in project.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (PROJECT / source).exists(), f"{name} has no {source}"


def unit() -> dict[str, list[str]]:
    """Return the values in the unit's service section by name; some names occur more than once."""
    _, service, _ = re.split(r"\[(?:Service|Install)\]\n", (DEPLOY / "frontrow.service").read_text())
    values: dict[str, list[str]] = {}
    for line in service.splitlines():
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            values.setdefault(name, []).append(value)
    return values


def test_the_units_environment_is_that_of_production(load: Load) -> None:
    variables = dict(
        assignment.split("=", 1) for line in unit()["Environment"] for assignment in shlex.split(line)
    )
    settings = load({**variables, **filled_in(DEPLOY / "frontrow.env.example")})
    assert settings.production
    assert (settings.public_url, settings.database_url) == (SITE, DATABASE_URL)
    assert [str(network) for network in settings.trusted_proxies] == ["127.0.0.1/32"]
    assert str(settings.data_dir) == f"/var/lib/{unit()['StateDirectory'][0]}"


def test_the_unit_is_hardened() -> None:
    values = unit()
    assert "DynamicUser" in values and values["CapabilityBoundingSet"] == [""]
    strict = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces")
    assert all(values[name] == ["yes"] for name in strict)
    assert values["ProtectSystem"] == ["strict"]


def test_the_unit_reloads_and_ends_the_main_process_only() -> None:
    values = unit()
    assert values["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert values["KillMode"] == ["mixed"]
    assert int(values["TimeoutStopSec"][0]) > END_SECONDS


def ran(*command: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603 - an example's


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Uses systemd's own check if it is installed; the tests above check the unit in any case."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    text = (DEPLOY / "frontrow.service").read_text()
    path = tmp_path / "frontrow.service"
    # The program must exist.
    path.write_text(replaced(text, {"ExecStart=/opt/frontrow/bin/frontrow": "ExecStart=/bin/true"}))
    checked = ran(analyze, "verify", "--recursive-errors=no", "--man=no", path)
    complaints = [line for line in checked.stderr.splitlines() if "frontrow" in line]
    assert (checked.returncode, complaints) == (0, []), checked.stderr


def test_nginx_accepts_its_example(tmp_path: Path) -> None:
    nginx_site(tmp_path, free_port(), 8000)
    checked = ran(*nginx_command(tmp_path, "-t"))
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


@pytest.mark.parametrize(
    "variables", [{}, {"FRONTROW_SITE": "localhost", "FRONTROW_UPSTREAM": "frontrow:8000"}]
)
def test_caddy_accepts_its_example(tmp_path: Path, variables: dict[str, str]) -> None:
    example = DEPLOY / "Caddyfile"
    options = ("--adapter", "caddyfile", "--config", example)
    environment = caddy_environment(tmp_path, **variables)
    checked = ran(CADDY, "validate", *options, environment=environment)
    assert checked.returncode == 0, checked.stderr
    assert '"level":"warn"' not in checked.stderr
    adapted = ran(CADDY, "adapt", *options, environment=environment)
    upstream = variables.get("FRONTROW_UPSTREAM", "127.0.0.1:8000")
    assert json.dumps({"dial": upstream}, separators=(",", ":")) in adapted.stdout
    assert ran(CADDY, "fmt", example, environment=environment).stdout == example.read_text()
