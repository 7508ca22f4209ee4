"""Reading pictures: whatever a file holds becomes 8-bit RGB, or a sentence that names the file.

    H, W  height and width in pixels; sizes are (H, W)

What happens to pictures that are not plain RGB:

* grey, 1-bit, palette, CMYK, YCbCr: converted;
* 16-bit grey: scaled to 8 bits (65535 becomes 255), not cut off at 255;
* transparency: laid on white paper, as a web page shows it. Dropping the alpha channel would show whatever
  colour hides under the transparent pixels;
* a camera's note "turn me" (EXIF orientation): obeyed, unless the annotation was plainly drawn on the
  unturned pixels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from lessons.errors import DataError

ORIENTATION = 0x0112  # the EXIF tag; the values 5 to 8 swap height and width
SIXTEEN_BIT = (
    "I;16",
    "I;16B",
    "I;16L",
    "I;16N",
    "I",
)  # Pillow opens a 16-bit PNG as one of these, by its version


def read_image(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode a picture.

    Args:
        path: any format that Pillow knows; of an animation the first frame.
        size: the (H, W) that the annotation speaks of. The EXIF orientation is applied, unless only the
            picture as stored has this size. The picture returned may still have another size: compare.

    A JPEG that is cut short is found. One whose bytes were damaged inside is not always: the decoder mends
    what it can and says nothing, so that a wrong patch can go unnoticed, by `check()` as well.

    Returns:
        (H, W, 3) uint8 RGB, the caller's own to change.

    Raises:
        DataError: the file is missing, cut short, damaged, or of a kind that cannot be shown (named in the
            sentence).
    """
    with _opened(path) as image:
        turned = _is_turned(image, size)
        image.load()
        if turned:
            image = ImageOps.exif_transpose(image)
        return np.array(_as_rgb(image, path))


def read_indices(path: str | Path) -> np.ndarray:
    """Decode a mask picture into its palette indices, (H, W) uint8; the caller's own to change.

    Palette (P), grey (L) and 1-bit pictures hold them as they are. An RGB picture has lost its palette; where
    all its colours are VOC's they are looked up backwards.

    Raises:
        DataError: as `read_image`; or indices above 255, or colours that are not VOC's.
    """
    with _opened(path) as image:
        image.load()
        if image.mode in ("P", "L", "1"):
            return np.array(image, dtype=np.uint8)
        if image.mode in SIXTEEN_BIT:
            indices = np.array(image)
            if indices.min() < 0 or indices.max() > 255:
                raise DataError(f"{path} holds a mask index above 255: save it with at most 254 instances.")
            return indices.astype(np.uint8)
        if image.mode in ("RGB", "RGBA"):
            return _indices_of_colours(np.array(image.convert("RGB")), path)
    raise DataError(
        f"{path} is a mask of mode {image.mode}: save it as a palette or grey PNG of instance numbers."
    )


def image_size(path: str | Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The (H, W) that `read_image` with the same arguments gives, from the file's header: nothing is decoded.

    Raises:
        DataError: the file is missing or no picture. A file cut short behind its header goes unnoticed.
    """
    stored, turned = stored_and_turned_size(path)
    return turned if size is None or tuple(size) != stored else stored


def stored_and_turned_size(path: str | Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """The (H, W) of a picture as stored, and after the turn that its EXIF orientation asks for; from the
    header.

    Raises:
        DataError: see `image_size`.
    """
    with _opened(path) as image:
        stored = (image.height, image.width)
        return stored, stored[::-1] if _orientation(image) >= 5 else stored


def unconfirmed_turn(path: str | Path) -> str | None:
    """A sentence if the picture is turned or mirrored by an EXIF note that no size can confirm, else None.

    A half turn keeps the size, and so does a quarter turn of a square picture: whether the annotation was
    drawn before or after it, only a look tells.

    Raises:
        DataError: see `image_size`.
    """
    with _opened(path) as image:
        orientation = _orientation(image)
        if orientation == 1 or (orientation >= 5 and image.height != image.width):
            return None
    return (
        f"{path} is turned or mirrored by its EXIF orientation {orientation}, which its size cannot confirm: "
        "compare picture and mask."
    )


def to_tensor(array: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float32 in [0, 1]."""
    planes = torch.from_numpy(array).permute(2, 0, 1).contiguous()  # bytes move four times as fast as floats
    return planes.float().div_(255)


def _is_turned(image: Image.Image, size: tuple[int, int] | None) -> bool:
    """Whether an opened picture is to be turned as its EXIF note says, given the annotation's (H, W)."""
    orientation = _orientation(image)
    if orientation == 1:
        return False
    stored = (image.height, image.width)
    after = stored[::-1] if orientation >= 5 else stored
    return size is None or tuple(size) == after or tuple(size) != stored


@cache
def voc_palette() -> np.ndarray:
    """The colours (256, 3) uint8 that VOC's masks are drawn with.

    Bits 0, 3 and 6 of the index are the highest bits of red, 1, 4 and 7 of green, 2 and 5 of blue, from the
    top down: neighbouring indices get colours far apart (VOC development kit, `VOClabelcolormap`).
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for channel in range(3):
        for place in range(8):
            bit = (index >> (3 * place + channel)) & 1
            palette[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    palette.setflags(write=False)
    return palette


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An opened picture; whatever goes wrong with it becomes one sentence."""
    try:
        with Image.open(path) as image:
            yield image
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path} is missing: put the picture there or take it off the list.") from None
    except PermissionError:
        raise DataError(f"{path} may not be read: change its permissions.") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path} is larger than Pillow opens without being asked: make it smaller.") from None
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them stumble over
        reason = " ".join(str(error).split()).replace(str(path), "it") or type(error).__name__
        raise DataError(
            f"{path} cannot be decoded ({reason}): replace it by an undamaged picture."
        ) from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (as stored) to 8."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole picture to look behind it
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(2, 9) else 1


def _as_rgb(image: Image.Image, path: str | Path) -> Image.Image:
    """Any mode -> RGB, as the module's text says."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in SIXTEEN_BIT:
        return _from_sixteen_bits(np.array(image), path)
    if image.mode == "F":
        raise DataError(f"{path} holds floating-point numbers: save it with 8 or 16 bits.")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_paper(image.convert("RGBA"))
    return image.convert("RGB")


def _from_sixteen_bits(grey: np.ndarray, path: str | Path) -> Image.Image:
    if grey.min() < 0 or grey.max() > 65535:
        raise DataError(f"{path} holds more than 16 bits per pixel: save it with 8 or 16 bits.")
    return Image.fromarray(((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")


def _on_paper(image: Image.Image) -> Image.Image:
    """RGBA -> RGB on white."""
    if image.getextrema()[3][0] == 255:  # opaque throughout
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def _indices_of_colours(colours: np.ndarray, path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8 colours of VOC's palette -> their indices (H, W) uint8."""
    places = np.array([1 << 16, 1 << 8, 1])
    numbers = colours.astype(np.int64) @ places  # (H, W): one number per colour
    known = voc_palette().astype(np.int64) @ places  # (256,)
    order = np.argsort(known)
    at = np.searchsorted(known[order], numbers).clip(max=255)
    if (known[order][at] != numbers).any():
        raise DataError(
            f"{path} is a coloured mask with colours that VOC's palette lacks: save it as a palette PNG of "
            "instance numbers."
        )
    return order[at].astype(np.uint8)
