"""The version, which is that of the server: `tests/clients/test_package.py` compares them."""

__version__ = "0.1.0"
