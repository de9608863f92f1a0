"""The compose files are valid, and result in a cluster that starts and whose parts find each other."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from frontrow.database import connections_needed
from frontrow.settings import SettingsError, load_settings
from tests.deploy.compose import Refused, project_of, required_variables
from tests.deploy.conftest import Load
from tests.deploy.examples import PROJECT, SITE, filled_in
from tests.proxies.programs import DEPLOY

BASE = ("compose.yaml",)
WITH_TLS = ("compose.yaml", "deploy/compose.tls.yaml")
PROJECTS = {"compose.yaml": BASE, "with TLS": WITH_TLS}
WATCHING = {"prometheus", "grafana"}
SERVICES = {"websocket", "caddy", "nats", "postgres", *WATCHING}
CONTAINERS_PORT = "8000"


def project(files: tuple[str, ...] = BASE, **changes: str) -> dict[str, Any]:
    return project_of({**filled_in(PROJECT / ".env.example"), **changes}, *files)


def node(files: tuple[str, ...] = BASE, **changes: str) -> dict[str, str]:
    """Return the environment of a node's container."""
    variables: dict[str, str] = project(files, **changes)["services"]["websocket"]["environment"]
    return variables


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_nodes_have_all_settings_for_production(files: tuple[str, ...], load: Load) -> None:
    settings = load(node(files))
    assert settings.production
    assert (settings.public_url, settings.metrics_open) == (SITE, False)
    assert settings.database_url.endswith("@postgres:5432/frontrow")


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_missing_required_variables_are_reported(files: tuple[str, ...]) -> None:
    example = filled_in(PROJECT / ".env.example")
    required = required_variables(example, *files)
    assert {"POSTGRES_PASSWORD", "NATS_TOKEN"} <= required <= example.keys()
    for name in required:
        with pytest.raises(Refused, match=name):
            project(files, **{name: ""})


def test_a_misspelt_field_is_found(tmp_path) -> None:
    (tmp_path / "wrong.yaml").write_text("services: {websocket: {stop_grace_time: 15s}}")
    with pytest.raises(Refused, match="stop_grace_time"):
        project((*BASE, str(tmp_path / "wrong.yaml")))


@pytest.mark.parametrize("name", ["FRONTROW_JWT_SECRET", "FRONTROW_PERSONAL_DATA_KEY"])
def test_production_does_not_start_without_a_secret(name: str, load: Load) -> None:
    environment = node()
    del environment[name]
    with pytest.raises(SettingsError, match=name):
        load(environment)


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_any_number_of_nodes_can_be_started(files: tuple[str, ...], load: Load) -> None:
    """`docker compose up --scale websocket=3`, as the guide of the rooms does."""
    services = project(files)["services"]
    assert services.keys() >= SERVICES
    websocket = services["websocket"]
    assert websocket["deploy"]["replicas"] == 3
    # Two containers cannot have one name, publish one port, or lock one data directory.
    assert websocket.keys().isdisjoint({"container_name", "hostname", "ports", "volumes"})
    assert int(websocket["stop_grace_period"].removesuffix("s")) > load_settings().end_seconds
    settings = load(websocket["environment"])
    assert settings.node_name == ""
    assert settings.nats_url == (f"nats://{services['nats']['environment']['NATS_TOKEN']}@nats:4222",)
    (limit,) = [
        int(word.removeprefix("max_connections="))
        for word in services["postgres"]["command"]
        if word.startswith("max_connections=")
    ]
    superusers_connections = 3
    assert limit >= 10 * connections_needed(settings) + superusers_connections


def test_one_command_of_the_guide_starts_all_that_it_needs() -> None:
    """`docker compose up websocket` ends with a service at port 8001, which is that of the proxy."""
    services = project()["services"]
    started, waiting = set(), ["websocket"]
    while waiting:
        name = waiting.pop()
        started.add(name)
        waiting += services[name].get("depends_on", {}).keys() - started
    assert started == SERVICES - WATCHING
    assert {name for name, service in services.items() if "profiles" in service} == WATCHING
    assert {"8000", "8001", "3000"} <= {port["published"] for port in services["caddy"]["ports"]}


def test_only_caddy_is_reached_from_outside() -> None:
    open_to_all = {
        f"{name}:{port['published']}"
        for name, service in project(WITH_TLS)["services"].items()
        for port in service.get("ports", ())
        if port.get("host_ip") != "127.0.0.1"
    }
    assert open_to_all == {"caddy:80", "caddy:443"}


@pytest.mark.parametrize(
    ("files", "site"),
    [(BASE, "http://:8000"), (WITH_TLS, "tickets.example.com, http://:8000")],
    ids=PROJECTS,
)
def test_containers_fit_together(files: tuple[str, ...], site: str, load: Load) -> None:
    whole = project(files)
    services = whole["services"]
    settings = load(services["websocket"]["environment"])
    assert str(settings.port) == CONTAINERS_PORT and not settings.extra_ports
    caddy = services["caddy"]
    assert caddy["environment"] == {
        "FRONTROW_NODES": "websocket",
        "FRONTROW_SITE": site,
        "FRONTROW_TRUSTED_PROXIES": "",
    }
    local = {port["target"] for port in caddy["ports"] if port.get("host_ip") == "127.0.0.1"}
    assert local == {int(CONTAINERS_PORT)}
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["dns_sd_configs"] == [
        {"names": ["websocket"], "type": "A", "port": settings.metrics_port, "refresh_interval": "5s"}
    ]
    networks = services["websocket"]["networks"].keys()
    for name, service in services.items():
        assert networks & service["networks"].keys(), f"{name} and the nodes have no network in common"
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                assert (PROJECT / volume["source"]).exists(), f"{name} has no {volume['source']}"


def test_prometheus_and_grafana_find_their_files_and_each_other() -> None:
    services = project()["services"]
    mounted = {
        name: {volume["target"]: Path(volume["source"]) for volume in services[name]["volumes"]}
        for name in WATCHING
    }
    config = yaml.safe_load(mounted["prometheus"]["/etc/prometheus/prometheus.yml"].read_text())
    assert config["rule_files"] == ["rules/*.yml"]
    assert {file.name for file in mounted["prometheus"]["/etc/prometheus/rules"].glob("*.yml")} == {
        *("alerts.yml", "recording.yml")
    }
    provisioning = mounted["grafana"]["/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/frontrow.yml").read_text())["providers"]
    assert list(mounted["grafana"][provider["options"]["path"]].glob("*.json"))
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")


def test_the_nodes_trust_exactly_the_proxy(load: Load) -> None:
    whole = project()
    (pool,) = whole["networks"]["front"]["ipam"]["config"]
    caddy = ip_address(whole["services"]["caddy"]["networks"]["front"]["ipv4_address"])
    # No other container gets Caddy's address, even if it starts first.
    assert caddy in ip_network(pool["subnet"]) and caddy not in ip_network(pool["ip_range"])
    assert ip_address(pool["gateway"]) not in {caddy, *ip_network(pool["ip_range"])}
    assert [str(network) for network in load(node()).trusted_proxies] == [f"{caddy}/32"]
    # With a proxy on the host, which connects from the gateway.
    behind = project(FRONTROW_TRUSTED_PROXIES=pool["gateway"])["services"]
    trusted = load(behind["websocket"]["environment"]).trusted_proxies
    assert [str(network) for network in trusted] == [f"{caddy}/32", f"{pool['gateway']}/32"]
    assert behind["caddy"]["environment"]["FRONTROW_TRUSTED_PROXIES"] == pool["gateway"]


def test_mails_go_to_mailpit_by_default(load: Load) -> None:
    assert load(node(WITH_TLS)).smtp_url == "smtp://mailpit:1025"
    own = "smtp://mail.example.com"
    assert load(node(WITH_TLS, FRONTROW_SMTP_URL=own)).smtp_url == own
