"""Reads the settings from the environment, and reports all errors at once."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from environs import Env, EnvValidationError

from frontrow.settings.contradictions import contradictions
from frontrow.settings.table import PREFIX, TABLE, Setting, Settings, variable_of

# Prefixes of variables for tests and benchmarks.
_NO_SETTINGS = ("FRONTROW_TEST_", "FRONTROW_BENCH_")

_QUOTED_LIMIT = 80


class SettingsError(Exception):
    """Variables in the environment are invalid or unknown.

    Attributes:
        faults: one sentence each, naming the variable.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_settings(**given: object) -> Settings:
    """Read the settings of this process from its environment.

    Args:
        given: settings by field name from the command line; values other than None override the environment.

    Raises:
        SettingsError: variables are invalid or unknown; the message lists all of them.
    """
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    faults: dict[str, str] = dict(_unknown_variables())
    for setting in TABLE.values():
        if setting.name not in values:
            try:
                values[setting.name] = _read(setting)
            except (EnvValidationError, ValueError):
                faults[setting.name] = f"{setting.variable} must be {setting.rule.allowed}{_quoted(setting)}"
    settings = Settings(**values)
    for names, complaint in contradictions(settings):
        if faults.keys().isdisjoint(names):
            faults[names[0]] = f"{variable_of(names[0])} {complaint}"
    if faults:
        raise SettingsError(list(faults.values()))
    return settings


def _unknown_variables() -> Iterator[tuple[str, str]]:
    """Yield variables with our prefix that are not settings, each with a message."""
    known = {setting.variable for setting in TABLE.values()}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known and not variable.startswith(_NO_SETTINGS):
            # Compare without the common prefix, which would make all names look similar.
            likely = get_close_matches(variable.removeprefix(PREFIX).lower(), TABLE, 1)
            hint = f"{variable_of(likely[0])} may be meant" if likely else "docs/settings.md lists them all"
            yield variable, f"{variable} is not a setting; {hint}"


def _read(setting: Setting) -> object:
    environment = Env(prefix=PREFIX)
    value = getattr(environment, setting.rule.method)(
        setting.name.upper(), setting.default, **setting.rule.options
    )
    return tuple(value) if isinstance(value, list) else value


def _quoted(setting: Setting) -> str:
    return f' (got "{os.environ[setting.variable][:_QUOTED_LIMIT]}")' if setting.public else ""
