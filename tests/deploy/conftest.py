"""Loads the environments of examples."""

import os
from collections.abc import Callable, Mapping

import pytest

from frontrow.settings import PREFIX, TABLE, Settings, load_settings

Load = Callable[[Mapping[str, str]], Settings]


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
