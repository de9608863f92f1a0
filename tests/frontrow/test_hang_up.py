"""A closed terminal is told from an operator who sends SIGHUP."""

import os
from pathlib import Path

from frontrow.hang_up import Terminal


def test_a_terminal_that_is_closed_is_gone() -> None:
    ours, its = os.openpty()
    try:
        terminal = Terminal(its)
        assert not terminal.is_gone
        os.close(ours)
        assert terminal.is_gone
    finally:
        os.close(its)


def test_a_server_without_a_terminal_has_none_that_could_be_closed() -> None:
    with Path(os.devnull).open() as nothing:
        assert not Terminal(nothing.fileno()).is_gone
