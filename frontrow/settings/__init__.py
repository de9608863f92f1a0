"""The settings for operators, in one table.

Each setting is one field in one of the sections (`process`, `http`, `identity`, `selling`, `sockets`). Its
annotation defines the values that its variable may have and describes it. The validation at start and
`docs/settings.md` are both derived from that, so adding, changing or removing a setting only needs a change
there (and `make docs`). `load_settings` reads the environment; importing never does.
"""

from frontrow.settings.loading import SettingsError, load_settings
from frontrow.settings.process import WORKERS_LIMIT
from frontrow.settings.table import PREFIX, TABLE, Settings, variable_of

__all__ = ["PREFIX", "TABLE", "WORKERS_LIMIT", "Settings", "SettingsError", "load_settings", "variable_of"]
