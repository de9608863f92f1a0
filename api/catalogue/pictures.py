"""Uploaded profile pictures: detect the format from the bytes, then crop and re-encode.

Re-encoding drops metadata such as GPS coordinates and any payload hidden in the file.
"""

from io import BytesIO

from PIL import Image, ImageOps

from api.errors import InvalidInput
from api.rest.errors import UnsupportedMediaType
from api.rest.uploads import Upload, UploadedFile

MEDIA_TYPE = "image/webp"
SIDE_PIXELS = 512

_FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
# A decoded picture takes four bytes per pixel, however small its file is.
_MOST_PIXELS = 24_000_000

PICTURE = Upload(tuple(_FORMATS.values()))
"""The upload declaration of operations that accept a picture."""


def portrait(file: UploadedFile) -> bytes:
    """Return the picture as a square WebP of at most SIDE_PIXELS a side. Blocking; run it in a worker.

    Args:
        file: the uploaded picture.

    Raises:
        UnsupportedMediaType: the file is not a picture, or does not match its declared media type.
        InvalidInput: the picture has too many pixels or is damaged.
    """
    try:
        image = Image.open(BytesIO(file.content), formats=tuple(_FORMATS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnsupportedMediaType(PICTURE.media_types) from error
    with image:
        if file.media_type not in ("", _FORMATS[image.format or ""]):
            raise UnsupportedMediaType(PICTURE.media_types)
        if image.width * image.height > _MOST_PIXELS:
            raise _too_large()
        try:
            return _square(image)
        # Pillow's decoders raise many unrelated exception types for damaged files.
        except Exception as error:
            raise InvalidInput({PICTURE.field: ["Must be an undamaged picture."]}) from error


def _square(image: Image.Image) -> bytes:
    # Lets the JPEG decoder scale large pictures down while it decodes.
    image.draft("RGB", (2 * SIDE_PIXELS, 2 * SIDE_PIXELS))
    upright = ImageOps.exif_transpose(image)
    plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    side = min(SIDE_PIXELS, *plain.size)
    made = BytesIO()
    ImageOps.fit(plain, (side, side)).save(made, "WEBP", quality=85, exif=b"", icc_profile=b"")
    return made.getvalue()


def _too_large() -> InvalidInput:
    return InvalidInput({PICTURE.field: [f"Must have at most {_MOST_PIXELS} pixels."]})
