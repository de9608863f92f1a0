"""Uploaded files: the whole body of a request, or a part of a form."""

from dataclasses import dataclass
from typing import NamedTuple

from tornado.httputil import HTTPFile, HTTPInputError, parse_body_arguments

from api.errors import InvalidInput
from api.rest.errors import UnsupportedMediaType
from api.rest.request import Request

_FORM = "multipart/form-data"
_UNKNOWN_TYPE = "application/octet-stream"


class UploadedFile(NamedTuple):
    """A file as it was received.

    Attributes:
        media_type: as declared by the client; empty if it declared none.
    """

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Upload:
    """Declares that an operation takes a file.

    Attributes:
        media_types: the types accepted.
        field: the file's name in a form.
    """

    media_types: tuple[str, ...]
    field: str = "file"

    def read(self, request: Request) -> UploadedFile:
        """Return the file in a request.

        Raises:
            UnsupportedMediaType: the request declares another type.
            InvalidInput: the request has no file.
        """
        media_type = _media_type(request.headers.get("Content-Type", ""))
        if media_type == _FORM:
            return self._read_form(request)
        if media_type not in (*self.media_types, _UNKNOWN_TYPE, ""):
            raise UnsupportedMediaType((*self.media_types, _FORM))
        if not request.body:
            raise InvalidInput({self.field: ["Missing data for required field."]})
        return UploadedFile(request.body, media_type.replace(_UNKNOWN_TYPE, ""))

    def _read_form(self, request: Request) -> UploadedFile:
        files: dict[str, list[HTTPFile]] = {}
        try:
            parse_body_arguments(request.headers["Content-Type"], request.body, {}, files)
        except HTTPInputError as error:
            raise InvalidInput({"body": [f"Must be a multipart form: {error}"]}) from error
        if not files.get(self.field):
            raise InvalidInput({self.field: ["Missing data for required field."]})
        file = files[self.field][-1]
        return UploadedFile(file.body, _media_type(file.content_type).replace(_UNKNOWN_TYPE, ""))


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()
