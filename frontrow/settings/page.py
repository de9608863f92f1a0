"""Generates `docs/settings.md` from the table: `python -m frontrow.settings.page`."""

from collections.abc import Iterator

from frontrow.settings.table import SECTIONS

_HEAD = """\
# Settings

The server and every `frontrow` command read these environment variables when they start. Invalid values and
unknown variables with the prefix `FRONTROW_` stop them, with one message for each. `FRONTROW_TEST_*` and
`FRONTROW_BENCH_*` are reserved for tests and benchmarks. In Kubernetes a service named `frontrow` adds
variables such as `FRONTROW_SERVICE_HOST` to the pods; prevent that with `enableServiceLinks: false`.
`make docs` generates this page from `frontrow/settings/`.
"""


def settings_page() -> str:
    """Return the content of `docs/settings.md`."""
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
