"""The tests' browser works as documented."""

from pathlib import Path

import pytest

from tests.web import browser_install
from tests.web.browser import Browser, PageError
from tests.web.inspected import ScriptError

pytestmark = pytest.mark.gen_test

PAGE = """
<!DOCTYPE html>
<title>Seats</title>
<p style="height: 3000px"></p>
<button id="take" onclick="taken += event.isTrusted ? 1 : 100; console.log('taken', taken)">A1</button>
<script>
  let taken = 0;
  setTimeout(() => { document.title = 'Open'; }, 50);
</script>
"""


async def test_a_page_is_opened_inspected_clicked_and_closed() -> None:
    async with Browser() as browser:
        page = await browser.open("http://tickets.test/seats", html=PAGE)
        assert await page.evaluate("location.origin") == "http://tickets.test"
        assert await page.until("document.title === 'Open' && document.title") == "Open"
        assert await page.evaluate("({ taken, later: [undefined, null] })") == {
            "taken": 0,
            "later": [None, None],
        }
        await page.click("#take")
        await page.until("taken === 1")
        assert list(page.console) == [("log", "taken 1")]
        await page.close()


async def test_errors_in_a_page_are_reported() -> None:
    async with Browser() as browser:
        page = await browser.open("about:blank")
        with pytest.raises(ScriptError, match="RangeError: no such row"):
            await page.evaluate("Promise.reject(new RangeError('no such row'))")
        with pytest.raises(PageError, match="no element #missing"):
            await page.click("#missing")
        await page.evaluate("setTimeout(() => { throw new Error('in a timer'); })")
        with pytest.raises(TimeoutError, match=r"window\.never is None[\s\S]*in a timer"):
            await page.until("window.never", within_seconds=0.2)
        assert "Error: in a timer" in page.errors[0]
        with pytest.raises(PageError, match="net::ERR_"):
            await page.load("http://127.0.0.1:9/")


async def test_a_missing_browser_fails_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(browser_install.VARIABLE, raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with pytest.raises(AssertionError, match=r"make browser.*FRONTROW_TEST_CHROMIUM"):
        async with Browser():
            pass
