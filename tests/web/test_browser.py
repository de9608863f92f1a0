"""The tests' browser works as documented."""

import re
from pathlib import Path

import pytest

from tests.api.cinema import eventually
from tests.house import House
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


FORM = """
<!DOCTYPE html>
<html lang="en"><title>Log in</title>
<main><h1>Log in</h1>
<form onsubmit="event.preventDefault(); said.textContent = `Hello ${email.value}`">
  <label>E-mail <input id="email"></label> <button>Send</button> <button disabled>Sold out</button>
</form><p id="said"></p><div id="host"></div></main>
<script>
  document.querySelector('#host').attachShadow({ mode: 'open' }).innerHTML =
    '<button onclick="this.textContent = `taken`">Row A seat 1</button>';
</script>
"""


async def test_elements_are_found_and_acted_on_by_what_users_perceive(browser: Browser) -> None:
    page = await browser.open("http://tickets.test/", html=FORM)
    await page.fill("E-mail", "nobody")
    await page.fill("E-mail", "ada@home.example")
    assert await page.focused() == "textbox E-mail"
    await page.press("Tab")
    assert await page.focused() == "button Send"
    await page.press("Enter")
    await page.shows("Hello ada@home.example")
    await page.click_on("button", re.compile("^Row A"))
    await page.shows("taken")
    assert (await page.find("button", "Sold out")).properties["disabled"] is True
    assert await page.all("link") == []
    assert await page.accessibility_violations() == []
    await page.resize(320, 640, scale=2)
    assert (await page.picture("form")).read_bytes().startswith(b"\x89PNG")


async def test_axe_finds_what_is_wrong(browser: Browser) -> None:
    page = await browser.open("http://tickets.test/", html=FORM.replace("E-mail ", ""))
    (violation,) = await page.accessibility_violations()
    assert violation.startswith("label: ")


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("console.error('no seats')", "no seats"),
        ("setTimeout(() => { throw new Error('in a timer'); })", "in a timer"),
        ("location.replace('/nothing')", "status of 404"),
        ("fetch('http://127.0.0.1:9/').catch(() => 0)", "net::ERR_UNSAFE_PORT|Content Security Policy"),
        ("document.body.append(Object.assign(new Image(), { src: '//other.test/' }))", "Security Policy"),
        ("document.body.innerHTML = '<p style=\"color: red\">'", "Security Policy"),
    ],
)
async def test_trouble_of_a_page_is_reported_unless_allowed(
    browser: Browser, house: House, script: str, trouble: str
) -> None:
    page = await browser.open(f"{house.base_url}/healthz")
    assert page.troubles == []
    await page.evaluate(f"{script}; 0")
    await eventually(lambda: page.troubles != [], within_seconds=60)
    assert re.search(trouble, page.troubles[0])
    page.allow(trouble)
    assert page.troubles == []


async def test_a_page_goes_offline_and_back_and_gets_other_answers(browser: Browser, house: House) -> None:
    page = await browser.open(f"{house.base_url}/page", html="<!DOCTYPE html>")
    status = "fetch('/healthz').then(({ status }) => status, () => 0)"
    await page.go_offline()
    assert await page.evaluate(status) == 0
    await page.go_offline(False)
    assert await page.evaluate(status) == 200
    async with page.answering("*/healthz", 500):
        assert await page.evaluate(status) == 500
    assert await page.evaluate(status) == 200


async def test_pages_apart_share_nothing(browser: Browser, house: House) -> None:
    first, second = [await browser.open(f"{house.base_url}/healthz") for _ in range(2)]
    third = await browser.open(f"{house.base_url}/healthz", apart=True)
    await first.evaluate("localStorage.setItem('name', 'ada')")
    assert [await page.evaluate("localStorage.getItem('name')") for page in (second, third)] == ["ada", None]


async def test_a_missing_browser_fails_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(browser_install.VARIABLE, raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with pytest.raises(AssertionError, match=r"make browser.*FRONTROW_TEST_CHROMIUM"):
        async with Browser():
            pass
