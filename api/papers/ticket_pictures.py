"""QR codes as pictures, for mails and responses.

Drawing takes milliseconds, too long for the event loop; call it in a thread.
"""

from base64 import b64encode
from io import BytesIO

import segno

MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml"}
"""Media types of pictures, by kind."""

_PIXELS_PER_MODULE = 6


class TicketPicture:
    """The QR code of a ticket.

    Args:
        code: text to encode.
    """

    def __init__(self, code: str) -> None:
        self._symbol = segno.make_qr(code, error="m")

    def drawn(self, kind: str) -> bytes:
        """Draw the picture and return it as a file.

        Args:
            kind: a key of MEDIA_TYPES.
        """
        drawing = BytesIO()
        self._symbol.save(drawing, kind=kind, scale=_PIXELS_PER_MODULE)
        return drawing.getvalue()

    def data_uri(self, kind: str) -> str:
        """Draw the picture and return it as a `data:` URI (RFC 2397)."""
        return f"data:{MEDIA_TYPES[kind]};base64,{b64encode(self.drawn(kind)).decode()}"
