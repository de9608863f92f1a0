"""Reads compose files with Docker Compose itself, which checks them with its schema and needs no Docker."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy.examples import PROJECT, ran

COMPOSE = Path(sys.prefix) / "bin" / "docker-compose"


class Refused(Exception):
    """Docker Compose does not accept the files."""


def project_of(given: Mapping[str, str], *files: str) -> dict[str, Any]:
    """Return a project with all profiles and its variables replaced, in the long form of each value.

    Args:
        given: the content of `.env`.
        files: paths relative to the project's folder; later files extend earlier ones.

    Raises:
        Refused: a required variable is empty, or a file is not valid.
    """
    project: dict[str, Any] = json.loads(_config(given, files, "--format", "json"))
    return project


def required_variables(given: Mapping[str, str], *files: str) -> set[str]:
    """Return the variables that the files require."""
    rows = [line.split() for line in _config(given, files, "--variables").splitlines()[1:]]
    return {row[0] for row in rows if row[1] == "true"}


def _config(given: Mapping[str, str], files: tuple[str, ...], *options: str) -> str:
    named = [word for file in files for word in ("--file", str(PROJECT / file))]
    environment = {"PATH": os.defpath, "HOME": os.devnull, **given}
    # Without the option it would also read a developer's .env.
    everything = ("--env-file", os.devnull, "--profile", "*")
    result = ran(COMPOSE, *everything, *named, "config", *options, environment=environment)
    if result.returncode:
        raise Refused(result.stderr.strip())
    return result.stdout
