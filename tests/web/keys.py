"""The events of a key press, as the DevTools protocol wants them."""

from collections.abc import Iterator, Sequence
from typing import Any

_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
# Name: (code of the key, its virtual key code, text that it types).
_NAMED = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "Delete": ("Delete", 46, ""),
    " ": ("Space", 32, " "),
    "Home": ("Home", 36, ""),
    "End": ("End", 35, ""),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}


def key_events(key: str, modifiers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of `Input.dispatchKeyEvent` for pressing and releasing a key."""
    held = sum(_MODIFIERS[name] for name in modifiers)
    code, number, text = _NAMED.get(key) or _of_character(key)
    common = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": held}
    if text and not held & ~_MODIFIERS["Shift"]:
        yield {"type": "keyDown", "text": text, **common}
    elif held & _MODIFIERS["Control"] and key == "a":
        # Without a window system nothing else turns the shortcut into its command.
        yield {"type": "keyDown", "commands": ["selectAll"], **common}
    else:
        yield {"type": "keyDown", **common}
    yield {"type": "keyUp", **common}


def _of_character(key: str) -> tuple[str, int, str]:
    upper = key.upper()
    if upper.isalpha() and upper.isascii():
        return f"Key{upper}", ord(upper), key
    return (f"Digit{key}", ord(key), key) if key.isdigit() else ("", 0, key)
