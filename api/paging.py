"""Long lists, page by page: the arrays that the guides show, with what else there is in the headers."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, post_load, validate

from api.endpoint import Answer
from api.fields import RequestSchema

SIZE_LIMIT = 200
# Further than anybody pages; the offset stays far within 64 bits.
PAGE_LIMIT = 1_000_000
_TOTAL = "X-Total-Count"

PAGING_HEADERS: Mapping[str, str] = {_TOTAL: "Entries over all pages."}


class Page(RequestSchema):
    """Which part of a list is wanted; handlers get it as `limit` and `offset`."""

    page = fields.Integer(
        load_default=1, validate=validate.Range(1, PAGE_LIMIT), metadata={"description": "Counted from 1."}
    )
    size = fields.Integer(
        load_default=100,
        validate=validate.Range(1, SIZE_LIMIT),
        metadata={"description": "Entries per page."},
    )

    @post_load
    def _as_window(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        page, size = data.pop("page"), data.pop("size")
        return {**data, "limit": size, "offset": (page - 1) * size}


def paged(documents: Sequence[dict[str, Any]], total: int) -> Answer:
    """A page of a list.

    Args:
        documents: its entries.
        total: entries over all pages.
    """
    return Answer.of(documents, headers={_TOTAL: str(total)})
