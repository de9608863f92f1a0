"""QR codes as pictures, for mails and for answers.

Drawing takes milliseconds, which the event loop does not have; whoever draws does it in a thread.
"""

from base64 import b64encode
from io import BytesIO

import segno

MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml"}
"""The kinds of pictures."""

_PIXELS_PER_MODULE = 6


class TicketPicture:
    """The QR code of a ticket.

    Args:
        code: what stands in it.
    """

    def __init__(self, code: str) -> None:
        self._symbol = segno.make_qr(code, error="m")

    def drawn(self, kind: str) -> bytes:
        """The picture as a file of a kind."""
        drawing = BytesIO()
        self._symbol.save(drawing, kind=kind, scale=_PIXELS_PER_MODULE)
        return drawing.getvalue()

    def data_uri(self, kind: str) -> str:
        """The same as a `data:` URI (RFC 2397)."""
        return f"data:{MEDIA_TYPES[kind]};base64,{b64encode(self.drawn(kind)).decode()}"
