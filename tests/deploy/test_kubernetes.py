"""The Kubernetes manifests fit their schemas, each other, the settings and the server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cluster.roster import DRAIN_SECONDS
from frontrow.cli import main
from frontrow.settings import load_settings
from tests.deploy.conftest import Load
from tests.deploy.examples import DATABASE_URL, SITE, random_secret
from tests.house import House
from tests.proxies.programs import DEPLOY

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ("1.30", "1.37")
"""The oldest supported version of Kubernetes, and the newest one with schemas."""

SECRET = {
    "database-url": DATABASE_URL,
    "jwt-secret": random_secret(),
    "personal-data-key": random_secret(),
    "nats-token": "token",
}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


MANIFESTS = {
    f"{document['kind']} {document['metadata']['name']}": document
    for path in sorted(FOLDER.glob("*.yaml"))
    for document in documents(path)
}
WORKLOADS = {
    "frontrow": MANIFESTS["Deployment frontrow"],
    "frontrow-nats": MANIFESTS["StatefulSet frontrow-nats"],
}


def pod(name: str) -> dict[str, Any]:
    specification: dict[str, Any] = WORKLOADS[name]["spec"]["template"]["spec"]
    return specification


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    specification: dict[str, Any] = only
    return specification


def environment_of(name: str, secret: dict[str, str] = SECRET) -> dict[str, str]:
    """Return the variables of a container as the kubelet sets them."""
    values: dict[str, str] = {}
    for source in container(name).get("envFrom", []):
        values |= MANIFESTS[f"ConfigMap {source['configMapRef']['name']}"]["data"]
    for variable in container(name)["env"]:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            reference = source["secretKeyRef"]
            assert reference["name"] == "frontrow"
            if reference["key"] not in secret and reference.get("optional"):
                continue
            value = secret[reference["key"]]
        elif "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "metadata.name"
            value = f"{name}-0"
        else:
            value = re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], variable["value"])
        values[variable["name"]] = value
    return values


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_manifests_are_valid(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_found() -> None:
    """The schemas reject what Kubernetes would."""
    wrong = {**MANIFESTS["Deployment frontrow"], "spec": {**WORKLOADS["frontrow"]["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_nodes_have_all_settings_for_production(load: Load) -> None:
    settings = load(environment_of("frontrow"))
    assert settings.production
    assert (settings.public_url, settings.database_url, settings.smtp_url) == (SITE, DATABASE_URL, "")
    assert settings.node_name == "frontrow-0"
    assert settings.nats_url == tuple(
        f"nats://token@frontrow-nats-{number}.frontrow-nats:4222"
        for number in range(WORKLOADS["frontrow-nats"]["spec"]["replicas"])
    )
    assert settings.trusted_proxies and not settings.metrics_open
    mailing = load(environment_of("frontrow", {**SECRET, "smtp-url": "smtp://mail.example.com"}))
    assert mailing.smtp_url == "smtp://mail.example.com"
    changed = load(environment_of("frontrow", {**SECRET, "jwt-old-secrets": SECRET["personal-data-key"]}))
    assert changed.jwt_old_secrets == (SECRET["personal-data-key"],)


def test_no_manifest_has_a_secret() -> None:
    """Variables that are secrets, or contain one, refer to the secret `frontrow`."""
    secret_ones = ("SECRET", "SECRETS", "DATA_KEY", "OLD_KEYS", "DATABASE_URL", "SMTP_URL", "TOKEN")
    for name in WORKLOADS:
        for variable in container(name)["env"]:
            if variable["name"].endswith(secret_ones):
                assert "secretKeyRef" in variable["valueFrom"], variable["name"]
    assert not [kind for kind in MANIFESTS if kind.startswith("Secret ")]


def test_parts_find_each_other(load: Load) -> None:
    settings = load(environment_of("frontrow"))
    ports = {port["name"]: port["containerPort"] for port in container("frontrow")["ports"]}
    assert ports == {"http": settings.port, "metrics": settings.metrics_port}
    annotations = WORKLOADS["frontrow"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(settings.metrics_port)
    ingress, service = MANIFESTS["Ingress frontrow"], MANIFESTS["Service frontrow"]
    (rule,) = ingress["spec"]["rules"]
    assert settings.public_url == f"https://{rule['host']}"
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "frontrow", "port": {"name": "http"}}
    assert [port["name"] for port in service["spec"]["ports"]] == ["http"]
    assert f"Service {WORKLOADS['frontrow-nats']['spec']['serviceName']}" in MANIFESTS


def test_selectors_and_ports_are_those_of_the_pods() -> None:
    for name, workload in WORKLOADS.items():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        selectors = [
            workload["spec"]["selector"],
            MANIFESTS[f"PodDisruptionBudget {name}"]["spec"]["selector"],
            MANIFESTS[f"NetworkPolicy {name}"]["spec"]["podSelector"],
            *(spread["labelSelector"] for spread in pod(name)["topologySpreadConstraints"]),
        ]
        assert all(selector == {"matchLabels": labels} for selector in selectors)
        assert MANIFESTS[f"Service {name}"]["spec"]["selector"] == labels
        known = {port["name"] for port in container(name)["ports"]}
        numbers = {port["containerPort"] for port in container(name)["ports"]}
        for port in (*MANIFESTS[f"Service {name}"]["spec"]["ports"], *policy_ports(name)):
            assert port.get("targetPort", port["port"]) in known | numbers
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container(name)[probe]["httpGet"]["port"] in known


def policy_ports(name: str) -> Iterator[dict[str, Any]]:
    for rule in MANIFESTS[f"NetworkPolicy {name}"]["spec"]["ingress"]:
        yield from rule["ports"]


def test_no_service_adds_variables_that_are_no_settings() -> None:
    """A service named `frontrow` would set FRONTROW_PORT to a URL."""
    assert all(pod(name)["enableServiceLinks"] is False for name in WORKLOADS)


def test_containers_have_few_rights() -> None:
    for name in WORKLOADS:
        assert pod(name)["securityContext"]["runAsNonRoot"] and not pod(name)["automountServiceAccountToken"]
        assert container(name)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    assert f"USER {pod('frontrow')['securityContext']['runAsUser']}\n" in dockerfile
    mounted = [mount["mountPath"] for mount in container("frontrow")["volumeMounts"]]
    assert mounted == [re.findall(r"FRONTROW_DATA_DIR=(\S+)", dockerfile)[0], "/tmp"]  # noqa: S108


def test_an_update_replaces_one_node_after_the_other_and_gives_it_time() -> None:
    deployment = WORKLOADS["frontrow"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["replicas"] > MANIFESTS["PodDisruptionBudget frontrow"]["spec"]["maxUnavailable"] == 1
    shell, option, script = container("frontrow")["lifecycle"]["preStop"]["exec"]["command"]
    assert (shell, option) == ("sh", "-c")
    ((command, name, pause),) = re.findall(r'^frontrow (\w+) "\$(\w+)"; sleep (\d+)$', script)
    assert command in main.commands and name in environment_of("frontrow")
    end_seconds = DRAIN_SECONDS + int(pause) + load_settings().end_seconds
    assert pod("frontrow")["terminationGracePeriodSeconds"] > end_seconds
    assert deployment["minReadySeconds"] > load_settings().node_gone_seconds


@pytest.mark.gen_test
async def test_probes_get_200(database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path, hosts=["tickets.example.com"])
    await house.open()
    try:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container("frontrow")[probe]["httpGet"]["path"]
            answer = await house.guest.send("GET", path)
            assert answer.status == 200
    finally:
        await house.close()
