"""Reading pictures of every kind, and refusing what cannot be read by naming the file."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from lessons.data import images
from lessons.errors import DataError

RED = (200, 30, 10)


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp", "tif"])
def test_rgb(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (30, 20), RED).save(path)
    array = images.read_image(path)
    assert array.shape == (20, 30, 3) and array.dtype == np.uint8 and array.flags.writeable
    assert np.abs(array.astype(int) - RED).max() < 8
    assert images.image_size(path) == (20, 30)


@pytest.mark.parametrize("mode, colour", [("L", 90), ("1", 255), ("P", 3), ("CMYK", (0, 255, 255, 0))])
def test_other_modes_become_rgb(tmp_path, mode, colour):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    picture = Image.new(mode, (30, 20), colour)
    if mode == "P":
        picture.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2, *RED])
    picture.save(path)
    array = images.read_image(path)
    expected = {"L": (90, 90, 90), "1": (255, 255, 255), "P": RED, "CMYK": (255, 0, 0)}[mode]
    assert array.shape == (20, 30, 3) and np.abs(array.astype(int) - expected).max() < 8


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path):
    path = tmp_path / "a.png"
    values = np.array([[0, 255, 257, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(path)
    assert images.read_image(path)[0].tolist() == [[0] * 3, [1] * 3, [1] * 3, [128] * 3, [255] * 3]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path, mode):
    path = tmp_path / "a.png"
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 255))
    if mode == "P":
        picture = Image.new("P", (2, 1), 0)
        picture.putpalette([9, 9, 9, 0, 0, 0])
        picture.putpixel((1, 0), 1)
        picture.save(path, transparency=0)
    else:
        picture.convert(mode).save(path)
    assert images.read_image(path)[0].tolist() == [[255] * 3, [0] * 3]


def test_opaque_rgba_keeps_its_colours(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (3, 2), (*RED, 255)).save(path)
    assert (images.read_image(path) == RED).all()


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_follows_the_annotation(tmp_path, orientation, ending):
    path = tmp_path / f"a.{ending}"
    stored = Image.new("RGB", (30, 20), "black")
    stored.paste("white", (0, 0, 10, 5))  # bright corner: top left as stored
    stored.save(path, exif=with_orientation(orientation), quality=95)
    turned_size = (30, 20) if orientation >= 5 else (20, 30)
    assert images.image_size(path) == turned_size
    turned = images.read_image(path)
    assert turned.shape[:2] == turned_size
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert turned[corner[orientation]].min() > 200
    assert (images.read_image(path, turned_size) == turned).all()
    if orientation >= 5:  # only the stored size agrees: the annotation was drawn on the unturned pixels
        assert images.read_image(path, (20, 30))[0, 0].min() > 200
        assert images.image_size(path, (20, 30)) == (20, 30)
    assert images.read_image(path, (7, 7)).shape[:2] == turned_size


def damaged(path, kind):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    changed = {
        "empty": b"",
        "cut short": content[: len(content) // 2],
        "head only": content[:20],
        "text": b"no picture at all",
        "noise": bytes(reversed(content)),
    }[kind]
    path.write_bytes(changed)


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("kind", ["empty", "cut short", "head only", "text", "noise"])
@pytest.mark.parametrize("read", [images.read_image, images.read_indices])
def test_damaged_file_is_named_in_one_sentence(tmp_path, kind, ending, read):
    path = tmp_path / f"ünser bild.{ending}"
    damaged(path, kind)
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and message.endswith(".")


def test_png_with_damaged_pixels(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40), RED).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.png"):
        images.read_image(path)


def test_png_that_claims_to_be_enormous(tmp_path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")))
    with pytest.raises(DataError, match=r"bomb\.png"):
        images.read_image(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jpg is missing"):
        images.read_image(tmp_path / "gone.jpg")
    with pytest.raises(DataError, match=tmp_path.name):
        images.read_image(tmp_path)


def test_floating_point_picture_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((2, 2), dtype=np.float32)).save(path)
    with pytest.raises(DataError, match=r"a\.tif holds floating-point"):
        images.read_image(path)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "RGBA", "I;16"])
def test_mask_indices_survive_every_mode(tmp_path, mode):
    path = tmp_path / "a.png"
    indices = np.array([[0, 1, 2], [20, 254, 255]], dtype=np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(images.voc_palette().tobytes())
    if mode == "L":
        picture = Image.fromarray(indices)
    elif mode == "I;16":
        picture = Image.fromarray(indices.astype(np.uint16))
    elif mode != "P":
        picture = picture.convert(mode)
    picture.save(path)
    result = images.read_indices(path)
    assert result.dtype == np.uint8 and result.tolist() == indices.tolist() and result.flags.writeable


def test_mask_in_foreign_colours_is_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.new("RGB", (3, 2), (1, 2, 3)).save(path)
    with pytest.raises(DataError, match=r"mask\.png is a coloured mask"):
        images.read_indices(path)


def test_mask_index_above_255_is_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 256]], dtype=np.uint16)).save(path)
    with pytest.raises(DataError, match=r"mask\.png holds a mask index above 255"):
        images.read_indices(path)


def test_palette_is_vocs():
    palette = images.voc_palette()
    assert palette[[0, 1, 2, 3, 15, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [192, 128, 128], [224, 224, 192],
    ]  # fmt: skip
    assert len(np.unique(palette, axis=0)) == 256


def test_to_tensor():
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    tensor = images.to_tensor(array)
    assert tensor.shape == (3, 2, 4) and tensor.dtype == torch.float32 and tensor.is_contiguous()
    assert tensor[1, 0, 1] == torch.tensor(4 / 255)
    tensor.zero_()
    assert array.max() == 23
