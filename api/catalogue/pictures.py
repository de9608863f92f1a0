"""Pictures that users upload: what they are is seen from their bytes, and they are always made anew.

A picture that is made anew carries nothing that its sender may have hidden in it, nor where it was taken.
"""

from io import BytesIO

from PIL import Image, ImageOps

from api.errors import InvalidInput
from api.rest.errors import UnsupportedMediaType
from api.rest.uploads import Upload, UploadedFile

MEDIA_TYPE = "image/webp"
SIDE_PIXELS = 512

_FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
# Decoded, a picture takes four bytes per pixel however small its file is.
_MOST_PIXELS = 24_000_000

PICTURE = Upload(tuple(_FORMATS.values()))
"""What is taken."""


def portrait(file: UploadedFile) -> bytes:
    """A square picture of at most `SIDE_PIXELS`, in WebP. Blocking.

    Args:
        file: a picture.

    Raises:
        UnsupportedMediaType: it is no picture, or not of the kind that its sender says.
        InvalidInput: it is too large, or damaged.
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
        # Pillow's decoders raise what they please over damaged files.
        except Exception as error:
            raise InvalidInput({PICTURE.field: ["Must be an undamaged picture."]}) from error


def _square(image: Image.Image) -> bytes:
    # Far larger pictures are decoded at a fraction of their size, where their format allows.
    image.draft("RGB", (2 * SIDE_PIXELS, 2 * SIDE_PIXELS))
    upright = ImageOps.exif_transpose(image)
    plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    side = min(SIDE_PIXELS, *plain.size)
    made = BytesIO()
    ImageOps.fit(plain, (side, side)).save(made, "WEBP", quality=85, exif=b"", icc_profile=b"")
    return made.getvalue()


def _too_large() -> InvalidInput:
    return InvalidInput({PICTURE.field: [f"Must have at most {_MOST_PIXELS} pixels."]})
