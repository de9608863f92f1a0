"""Which HTTP layer the tests' servers stand on: `FRONTROW_HTTP_LAYER=tornado make test` tries the other."""

from frontrow.settings import load_settings


def http_layer() -> str:
    """The layer that this process's environment asks for."""
    return load_settings().http_layer
