"""The page of the sockets' messages, from the AsyncAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from frontrow.reference.operations import field_table, resolved, type_tables

_HEAD = """\
# Messages of the sockets

[Sockets](../websocket.md) and [rooms](../rooms.md) say how they are used; this page lists what
`/asyncapi.json` declares. `/asyncapi` of every server shows the same, with a console to try them.
"""


def socket_page(document: Mapping[str, Any]) -> str:
    """Return the page's Markdown.

    Args:
        document: the AsyncAPI document.
    """
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield _HEAD
    for name, channel in document["channels"].items():
        yield from (f"## `{channel['address']}`", "", channel["description"], "")
        for parameter, described in channel["parameters"].items():
            yield f"* `{parameter}`: {described['description']}"
        yield from ("", "Query of the handshake:", "")
        yield from field_table(resolved(channel["bindings"]["ws"]["query"], document))
        for operation in document["operations"].values():
            if operation["channel"]["$ref"] == f"#/channels/{name}":
                links = ", ".join(f"[{message}](#{message.lower()})" for message in _messages(operation))
                yield from (f"{operation['summary']} {links}", "")
    yield from ("## Messages", "")
    for name, message in document["components"]["messages"].items():
        yield from (f"### {name}", "", message["summary"], "")
        yield from field_table(resolved(message["payload"], document))
    messages = document["components"]["messages"].values()
    yield from type_tables([resolved(message["payload"], document) for message in messages], document)


def _messages(operation: Mapping[str, Any]) -> Iterator[str]:
    for reference in operation["messages"]:
        yield reference["$ref"].rpartition("/")[2]
