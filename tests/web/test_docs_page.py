"""On the documentation page a user can log in by name and password and call operations that need a token."""

import pytest

from tests.house import House
from tests.web.browser import Browser

pytestmark = pytest.mark.gen_test(timeout=420)

EMAIL, PASSWORD = "ada@home.example", "correct horse battery"

# React tracks values through its own setter and misses direct assignments, so this calls the native setter.
_TYPE = """
(selector, text) => {
  const field = document.querySelector(selector);
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, text);
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.dispatchEvent(new Event('change', { bubbles: true }));
}
"""
_PATIENCE_SECONDS = 60.0
_GET_ME = "#operations-Authentication-get_me"


async def test_authorize_takes_a_user_name_and_a_password(house: House) -> None:
    account = {"email": EMAIL, "password": PASSWORD}
    assert (await house.guest.send("POST", "/api/v1/auth/register", account)).status == 201
    async with Browser() as browser:
        page = await browser.open(f"{house.base_url}/docs")
        await page.until("!!document.querySelector('button.authorize')", _PATIENCE_SECONDS)
        first = await page.evaluate("document.querySelector('.opblock-tag').dataset.tag")
        assert first == "Seat reservations"
        await page.evaluate("document.querySelector('button.authorize').click()")
        await page.until("!!document.querySelector('#oauth_username')", _PATIENCE_SECONDS)
        for selector, text in (("#oauth_username", EMAIL), ("#oauth_password", PASSWORD)):
            await page.evaluate(f"({_TYPE})({selector!r}, {text!r})")
        # The button in the part of the dialog with the user name.
        await page.evaluate(
            "document.querySelector('#oauth_username').closest('.auth-container')"
            ".querySelector('button.authorize').click()"
        )
        await page.until(
            "[...document.querySelectorAll('.auth-container h6')]"
            ".some((line) => line.textContent === 'Authorized')",
            _PATIENCE_SECONDS,
        )
        await page.evaluate("document.querySelector('.close-modal').click()")
        await page.evaluate(f"document.querySelector('{_GET_ME} .opblock-summary-control').click()")
        await page.until(f"!!document.querySelector('{_GET_ME} .try-out__btn')", _PATIENCE_SECONDS)
        sample = f"document.querySelector('{_GET_ME} .samples pre').textContent"
        assert f"curl {house.base_url}/api/v1/auth/me" in await page.evaluate(sample)
        await page.click_on("button", "Python")
        await page.until(f"{sample}.includes('frontrow_client')")
        await page.evaluate(f"document.querySelector('{_GET_ME} .try-out__btn').click()")
        await page.until(f"!!document.querySelector('{_GET_ME} button.execute')", _PATIENCE_SECONDS)
        await page.evaluate(f"document.querySelector('{_GET_ME} button.execute').click()")
        answer = f"document.querySelector('{_GET_ME} .live-responses-table')"
        await page.until(f"{answer} && {answer}.textContent.includes('{EMAIL}')", _PATIENCE_SECONDS)
        assert page.errors == []
