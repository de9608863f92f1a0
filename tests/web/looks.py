"""Checks how a page looks: on a wide and a narrow screen, light and dark."""

from tests.web.page import Page

# Elements that stick out of the window sideways, also in shadow roots.
_TOO_WIDE = """
(() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const all = [...document.querySelectorAll('*')];
  for (const element of all) if (element.shadowRoot) all.push(...element.shadowRoot.querySelectorAll('*'));
  return all.filter((element) => element.getBoundingClientRect().right > innerWidth)
    .map((element) => `${element.localName}.${element.className}`);
})()
"""


# A click right after a change of the window's size would land where something was before.
_LAID_OUT = """
innerWidth === {width} && document.getAnimations().every((one) => one.playState !== 'running')
  && new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))
"""


async def checked(page: Page, name: str) -> None:
    """Check that a page is accessible, and take pictures of it: wide and light, narrow and dark."""
    for width, height, scheme in ((1280, 900, "light"), (320, 640, "dark")):
        await page.resize(width, height)
        await page.prefer(color_scheme=scheme, reduced_motion="reduce")
        await page.until(_LAID_OUT.format(width=width))
        assert (found := await page.accessibility_violations()) == [], (name, scheme, found)
        await page.picture(f"{name}-{scheme}")
        assert await page.evaluate(_TOO_WIDE) == [], name
    await page.resize(1280, 900)
    await page.prefer(color_scheme="light", reduced_motion="reduce")
    await page.until(_LAID_OUT.format(width=1280))
