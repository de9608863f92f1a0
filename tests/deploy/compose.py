"""Reads compose files like `docker compose`, as far as these tests need."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<rest>[^}]*))?\}")


class VariableMissing(Exception):
    """A variable that a compose file requires has no value."""


def services(given: Mapping[str, str], *files: str) -> dict[str, Any]:
    """Return the services of a project.

    Args:
        given: the environment or the content of `.env`.
        files: paths relative to the project's folder; later files extend earlier ones.

    Raises:
        VariableMissing: a required variable is empty.
    """
    merged: dict[str, Any] = {}
    for file in files:
        document = _filled_in(yaml.safe_load((PROJECT / file).read_text()), given)
        for name, service in document["services"].items():
            known = merged.setdefault(name, {})
            environment = {**known.get("environment", {}), **service.get("environment", {})}
            ports = [*known.get("ports", []), *service.get("ports", [])]
            known.update(service, environment=environment, ports=ports)
    return merged


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a service's container."""
    return {name: str(value) for name, value in service["environment"].items()}


def variables_of(*files: str) -> set[str]:
    """Return the variables that the files require."""
    text = "".join((PROJECT / file).read_text() for file in files)
    return {match["name"] for match in _VARIABLE.finditer(text) if match["kind"] == "?"}


def env_file(path: Path) -> dict[str, str]:
    """Return the variables in a file of `NAME=value` lines."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _filled_in(node: Any, given: Mapping[str, str]) -> Any:
    """Return a document with its variables replaced by their values."""
    if isinstance(node, dict):
        return {name: _filled_in(value, given) for name, value in node.items()}
    if isinstance(node, list):
        return [_filled_in(value, given) for value in node]
    if not isinstance(node, str):
        return node

    def value(match: re.Match[str]) -> str:
        found = given.get(match["name"], "")
        if not found and match["kind"] == "?":
            raise VariableMissing(f"{match['name']}: {match['rest']}")
        return found or (match["rest"] or "" if match["kind"] == "-" else "")

    return _VARIABLE.sub(value, node)
