"""Everything an operator can set, in one table.

A setting is one field in one of the sections (`process`, `http`, `identity`, `selling`, `sockets`). Its
annotation says what its variable may hold and what it is for; validation at start and the page
`docs/settings.md` are both made from it, so a setting is added, changed or removed there alone (`make docs`
writes the page again). The environment is read by `load_settings`, never at import.
"""

from frontrow.settings.loading import SettingsError, load_settings
from frontrow.settings.table import PREFIX, TABLE, Settings, variable_of

__all__ = ["PREFIX", "TABLE", "Settings", "SettingsError", "load_settings", "variable_of"]
