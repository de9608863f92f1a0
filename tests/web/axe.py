"""Checks pages with axe-core, which the pages' lock file names."""

from functools import cache

from tests.web.inspected import Inspected
from web.build import WEB

_SCRIPT = WEB / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """
axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
  violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) =>
      `${id}: ${help}: ${target.flat().join(' ')}: ${failureSummary}`)))
"""


@cache
def _source() -> str:
    assert _SCRIPT.exists(), "axe-core is not installed; `make install` installs it."
    return _SCRIPT.read_text()


async def violations_in(page: Inspected) -> list[str]:
    """Return the accessibility violations of a page: one line per rule and element."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(f"{_source()}; undefined")
    found: list[str] = await page.evaluate(_RUN)
    return found
