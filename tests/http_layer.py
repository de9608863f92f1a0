"""The HTTP layer of the tests' servers; `FRONTROW_HTTP_LAYER=tornado make test` uses the other one."""

from frontrow.settings import load_settings


def http_layer() -> str:
    """Return the layer that the environment of this process names."""
    return load_settings().http_layer
