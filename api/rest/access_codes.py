"""The access code of a channel in requests: in the body, in the query, or as a header."""

from typing import Any

import orjson
from marshmallow import fields, validate

from api.identity.channels import CODE_CHARACTERS
from api.rest.fields import storable

ACCESS_CODE = "access_code"
"""The argument of the code; handlers do not get it."""

_FIELDS = (ACCESS_CODE, "accessCode")


class AccessCode(fields.String):
    """An access code in a body or a query.

    Checking a code takes a query to the database. So compiled forms leave this field out, and a request with
    a code takes the general path.
    """

    def __init__(self) -> None:
        description = (
            "The access code of a channel; it opens the seats that are kept back for it. May be given as "
            "`X-Access-Code` instead."
        )
        # Without an example, bodies in the documentation have no code: a wrong one would be refused.
        super().__init__(
            validate=(validate.Length(1, CODE_CHARACTERS), storable), metadata={"description": description}
        )


def without_code(body: bytes) -> bytes:
    """Return a valid body without its access code, of which not even a digest may be stored."""
    document: dict[str, Any] = orjson.loads(body)
    return orjson.dumps({name: value for name, value in document.items() if name not in _FIELDS})
