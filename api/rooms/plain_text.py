"""Sanitizes text from one client that other clients insert into web pages.

The rooms guide's own client writes received text into `innerHTML`. Escaping would show `&amp;` in clients
that do not, so markup is removed instead: whole tags, then angle brackets. Straight quotes become typographic
ones, so that the text cannot end a quoted attribute. Control characters and characters that change the text
direction are removed.

The result is safe as element content and in quoted attributes. It is not safe where a browser executes or
loads text: in scripts, styles, event handlers and URLs.
"""

import re

_TAG = re.compile(r"<[^<>]*>")
_UNWANTED_CHARACTERS = r"<>\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNWANTED = re.compile(f"[{_UNWANTED_CHARACTERS}]")
_CHANGED = re.compile(f"[{_UNWANTED_CHARACTERS}\"'`]")

_TYPOGRAPHIC = str.maketrans({'"': "\u201d", "'": "\u2019", "`": "\u2018"})


def plain_text(text: str) -> str:
    """Remove markup and control characters, and replace straight quotes."""
    if not _CHANGED.search(text):  # the usual text
        return text
    return _UNWANTED.sub("", _TAG.sub("", text)).translate(_TYPOGRAPHIC)
