"""Importing the command."""

import subprocess
import sys

_RUN = """
import gc, sys
from frontrow.__main__ import main
try:
    main()
finally:
    print([name for name in ("alembic", "nats", "sqlalchemy") if name in sys.modules])
    print(gc.isenabled(), gc.get_freeze_count() > 10_000, len(gc.get_objects()) < gc.get_freeze_count())
"""


def test_the_collector_skips_what_is_imported_and_large_libraries_are_left_out() -> None:
    run = subprocess.run([sys.executable, "-c", _RUN], capture_output=True, text=True, check=False)  # noqa: S603 - our arguments
    assert run.stdout.splitlines()[-2:] == ["[]", "True True True"], run.stderr
