"""Tells a terminal that was closed from an operator who wants a reload: both send SIGHUP."""

import os

_STDIN = 0


class Terminal:
    """The terminal that a server was started from, if any.

    Args:
        descriptor: of the standard input.
    """

    def __init__(self, descriptor: int = _STDIN) -> None:
        self._descriptor = descriptor
        self._attached = os.isatty(descriptor)

    @property
    def is_gone(self) -> bool:
        """True if there was a terminal, and it has been closed."""
        return self._attached and not os.isatty(self._descriptor)
