"""Pictures of a request: read from their URLs within limits, and decoded.

What a picture is, is told by its bytes, not by the type its URL claims; JPEG, PNG and WebP are taken. Width and height
are checked before a pixel is decoded, so a small file that unfolds into gigabytes is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import warnings
from collections.abc import Iterable

from PIL import Image

from spaceland.chat.types import Picture
from spaceland.serving.fetch import UrlAccess, fetch
from spaceland.serving.limits import Limits
from spaceland.serving.problems import wrong

_FORMATS = ("JPEG", "PNG", "WEBP")
_SHORTEST_SIDE = 4
_LONGEST_RATIO = 200


def read_picture(url: str, param: str, limits: Limits, access: UrlAccess) -> Picture:
    """The picture that a URL holds or names.

    Raises:
        RequestError: it may not be read, is too large, or is no picture.
    """
    if url[:5].lower() == "data:":
        data = _data_of_url(url, param, limits)
    else:
        data = fetch(url, param, access, most_bytes=int(limits.max_image_mb * 1e6))
    if not data:
        raise wrong(param, "the picture is empty", "invalid_image")
    if len(data) > limits.max_image_mb * 1e6:
        raise _too_many_bytes(param, limits)
    try:
        with _open(data) as image:
            width, height = image.size
            kind = Image.MIME.get(image.format or "", "image/jpeg")
    except Image.DecompressionBombError:
        raise wrong(param, f"more pixels than {limits.max_image_megapixels:g} megapixels", "image_too_large") from None
    # Whatever a decoder makes of hostile bytes, the reason is the picture.
    except Exception as error:
        raise wrong(
            param, f"not a picture that can be read ({_why(error)}); JPEG, PNG and WebP are taken", "invalid_image"
        ) from None
    if width * height > limits.max_image_megapixels * 1e6:
        raise wrong(
            param,
            f"{width} x {height} pixels; at most {limits.max_image_megapixels:g} megapixels are taken",
            "image_too_large",
        )
    if min(width, height) < _SHORTEST_SIDE or max(width, height) > _LONGEST_RATIO * min(width, height):
        raise wrong(
            param,
            f"{width} x {height} pixels; sides must have at least {_SHORTEST_SIDE} pixels and not differ by more than "
            f"{_LONGEST_RATIO} times",
            "invalid_image",
        )
    return Picture(data, kind, width, height, param)


def decode(picture: Picture) -> Image.Image:
    """The picture in RGB, as models on this machine get it (`spaceland.chat.pictures.decode_picture`).

    Raises:
        RequestError: it is truncated or broken.
    """
    try:
        with _open(picture.data) as image:
            return image.convert("RGB")
    except Exception as error:
        raise wrong(
            picture.name, f"the picture is truncated or broken ({_why(error)}); make it again", "invalid_image"
        ) from None


def clip_key(pictures: Iterable[Picture]) -> str:
    """What names the pictures of a request, in their order, by content."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(hashlib.sha256(picture.data).digest())
    return digest.hexdigest()


def _open(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Our own limit on pixels is the one that counts, and odd metadata is of no concern.
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data), formats=_FORMATS)


def _data_of_url(url: str, param: str, limits: Limits) -> bytes:
    head, comma, payload = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise wrong(param, "a data URL looks like data:image/jpeg;base64,...", "invalid_image")
    if not head.lower().startswith("data:image/"):
        raise wrong(param, f"'{head[5:40]}' is no type of picture", "invalid_image")
    if len(payload) * 3 // 4 > limits.max_image_mb * 1e6 + 3:
        raise _too_many_bytes(param, limits)
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong(param, f"the data URL holds broken base64 ({error})", "invalid_image") from None


def _too_many_bytes(param: str, limits: Limits) -> Exception:
    return wrong(param, f"the picture has more than {limits.max_image_mb:g} MB", "image_too_large")


def _why(error: BaseException) -> str:
    if "cannot identify image file" in str(error):
        return "its bytes are of no known format"
    return (str(error).splitlines() or [""])[0][:120] or type(error).__name__
