"""The process of headless Chromium, with a profile of its own. `browser_install` chooses the program."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

from tests.web.browser_install import VARIABLE, installed_chromium
from tests.web.devtools import DevToolsError

START_SECONDS = 120.0
STOP_SECONDS = 60.0

_POLL_SECONDS = 0.02
_SWITCHES = (
    "--headless",
    # Tests may run as root, where Chromium's sandbox does not work; the pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # Pictures are the same on all machines.
    "--font-render-hinting=none",
    "--hide-scrollbars",
    "--lang=en-GB",
    # No background requests, and no throttled timers in pages without focus.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    # Pages with the test's own content (`Browser.open`) have no network address that Chromium could check
    # before it allows a WebSocket to loopback.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    "--remote-debugging-port=0",
)
# The package's own configuration names folders of the cloud that it was made for. Without a font Chromium
# crashes when it draws a text field.
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@contextmanager
def running_chromium(redirected: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start a browser, and end it afterwards.

    Args:
        redirected: host:port to connect to by host:port in URLs, for pages with hard-coded addresses.

    Yields:
        The URL of its DevTools.

    Raises:
        DevToolsError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        process = _launch(profile, redirected or {})
        try:
            yield _address(process, profile)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _executable(profile: Path) -> tuple[Path, dict[str, str]]:
    """Return the program and the variables it needs."""
    if named := os.environ.get(VARIABLE):
        return Path(named), {}
    folder = installed_chromium()
    assert folder.exists(), (
        f"The browser of the tests is not installed. `make browser` installs it, or "
        f"`{sys.executable} -m tests.web.browser_install`; or set {VARIABLE} to the path of a Chromium."
    )
    configuration = profile / "fonts.conf"
    configuration.write_text(_FONTS.format(fonts=folder / "fonts" / "fonts", cache=profile / "fonts"))
    return folder / "chromium", {
        "LD_LIBRARY_PATH": str(folder / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(configuration),
    }


def _launch(profile: Path, redirected: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    program, variables = _executable(profile)
    rules = ",".join(f"MAP {address} {elsewhere}" for address, elsewhere in redirected.items())
    with (profile / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - the program is Chromium
            [
                program,
                *_SWITCHES,
                f"--user-data-dir={profile}",
                f"--host-resolver-rules={rules}",
                "about:blank",
            ],
            # In the locale C, navigator.language would be no valid language tag.
            env={**os.environ, "HOME": str(profile), "TZ": "UTC", "LC_ALL": "en_US.UTF-8", **variables},
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
        )


def _address(process: "subprocess.Popen[bytes]", profile: Path) -> str:
    """Return the browser's DevTools URL, which it writes into its profile."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while not (file.exists() and file.read_text().count("\n") == 1):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DevToolsError(f"the browser did not start:\n{(profile / 'log').read_text()}")
        time.sleep(_POLL_SECONDS)
    port, path = file.read_text().splitlines()
    return f"ws://127.0.0.1:{port}{path}"
