"""The composition root: settings, wiring, ordered shutdown and the command line of Frontrow."""

__version__ = "0.1.0"
