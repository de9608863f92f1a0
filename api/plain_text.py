"""Text from strangers that is shown to others, made harmless where it will be put into a page as HTML.

The rooms guide's own client writes what it receives into `innerHTML`. Escaping would show `&amp;` to every
client that does not, so what could begin a tag is taken out instead: tags whole, then single angle brackets.
Control characters go too, and those that turn the direction of the text around them.
"""

import re

_TAG = re.compile(r"<[^<>]*>")
_UNWANTED = re.compile(r"[<>\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_text(text: str) -> str:
    """The text without markup and control characters."""
    return _UNWANTED.sub("", _TAG.sub("", text))
