"""Text from strangers that others see, made safe to put into a page as HTML.

The rooms guide's own client writes what it receives into `innerHTML`. Escaping would show `&amp;` to every
client that does not, so whatever could begin a tag is removed instead: whole tags, then angle brackets.
Straight quotes become typographic ones, so that the text cannot end the quoted attribute it stands in.
Control characters go too, and those that change the direction of the text around them.

The result is safe as the content of an element and as the value of a quoted attribute. It is not safe where a
browser runs or loads what it finds: in scripts, styles, event handlers and URLs.
"""

import re

_TAG = re.compile(r"<[^<>]*>")
_UNWANTED = re.compile(r"[<>\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_TYPOGRAPHIC = str.maketrans({'"': "\u201d", "'": "\u2019", "`": "\u2018"})


def plain_text(text: str) -> str:
    """The text without markup, straight quotes and control characters."""
    return _UNWANTED.sub("", _TAG.sub("", text)).translate(_TYPOGRAPHIC)
