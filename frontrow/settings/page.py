"""Writes `docs/settings.md` from the table: `python -m frontrow.settings.page`."""

from collections.abc import Iterator

from frontrow.settings.table import SECTIONS

_HEAD = """\
# Settings

The server and every command of `frontrow` read these environment variables when they start. A value that is
not allowed stops them with a message that names the variable, and so does a variable that begins with
`FRONTROW_` and is not listed here; all such messages come at once. Only `FRONTROW_TEST_*` and
`FRONTROW_BENCH_*` are left to tests and benchmarks. In Kubernetes a service called `frontrow` adds variables
such as `FRONTROW_SERVICE_HOST` to the pods: set `enableServiceLinks: false`. This page is made from
`frontrow/settings/` by `make docs`.
"""


def settings_page() -> str:
    """The page `docs/settings.md`."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for heading, rows in SECTIONS.items():
        yield from (f"## {heading}", "")
        yield from ("| variable | default | must be | what it is for |", "| --- | --- | --- | --- |")
        for setting in rows:
            cells = f"`{setting.variable}`", _cell(setting.default), setting.rule.allowed, setting.purpose
            yield f"| {' | '.join(cells)} |"
        yield ""


def _cell(default: object) -> str:
    match default:
        case "" | ():
            return "empty"
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return f"`{','.join(map(str, default))}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


if __name__ == "__main__":
    print(settings_page(), end="")
