"""Wall clocks of single processes that can be stepped and run too fast or too slow, by libfaketime.

Only the wall clock is changed: the monotonic clocks are the kernel's own. The library is that of the PyPI
package `libfaketime`, because Debian's does not know `CLOCK_BOOTTIME`, which the server uses.
"""

import importlib.util
from pathlib import Path

STEP_LIMIT_SECONDS = 1.5
"""The largest difference between a node's clock and the machine's, in either direction."""


class FakeClock:
    """The clock of one process, which may be restarted.

    Args:
        path: a file that says what time it is; the library reads it again and again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set()

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the process."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: float = 0.0) -> None:
        """Step the clock to a number of seconds after the machine's clock.

        Args:
            seconds: may be negative.
        """
        # The library never reads half a file, because it is replaced.
        written = self._path.with_suffix(".new")
        written.write_text(f"{seconds:+.3f}\n")
        written.replace(self._path)


def _library() -> Path:
    # The package itself is not imported: it would start this process again.
    found = importlib.util.find_spec("libfaketime")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
