"""VOC's XML: one file per picture, an <object> for each thing in it."""

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from lessons.errors import DataError

CORNERS = ("xmin", "ymin", "xmax", "ymax")
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class VOCObject:
    """One <object>.

    `box` is as written, (xmin, ymin, xmax, ymax) counted from 1 with both ends inside; None if unreadable.
    """

    name: str
    box: Box | None
    difficult: bool = False
    truncated: bool = False

    def box_fault(self) -> str | None:
        """What is wrong with the box, or None. xmin = xmax is a box of one column, and right."""
        if self.box is None:
            return "has no readable <bndbox>"
        x1, y1, x2, y2 = self.box
        written = f"({x1:g}, {y1:g}, {x2:g}, {y2:g})"
        if x2 < x1 or y2 < y1:
            return f"has the box {written}, which ends before it begins"
        if x2 < 1 or y2 < 1:
            return f"has the box {written}, which lies outside the image (VOC counts from 1)"
        return None


@dataclass(frozen=True)
class Annotation:
    """One XML file: the (height, width) that it states, if it does, and its objects in order."""

    size: tuple[int, int] | None
    objects: tuple[VOCObject, ...]


def read_annotation(path: str | Path) -> Annotation:
    """Read one XML file. Entities are refused: a few that expand into each other can fill the memory.

    Raises:
        DataError: the file is missing, is not XML, declares entities, or is not a VOC annotation.
    """
    try:
        root = fromstring(Path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: every picture needs its annotation.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): change its permissions.") from None
    except DefusedXmlException:
        raise DataError(f"{path} declares XML entities, which are refused: write the text out.") from None
    except (ParseError, ValueError, LookupError) as error:  # LookupError: an encoding that does not exist
        raise DataError(f"{path} is not valid XML ({error}): mend or replace it.") from None
    if root.tag != "annotation":
        raise DataError(f"{path} begins with <{root.tag}>, not <annotation>: it is no VOC annotation.")
    return Annotation(_size(root), tuple(_object(element) for element in root.findall("object")))


def _object(element: Element) -> VOCObject:
    # find() looks at children only: the <name> and <bndbox> of a person's <part>s lie deeper.
    return VOCObject(
        name=(element.findtext("name") or "").strip(),
        box=_box(element.find("bndbox")),
        difficult=_flag(element, "difficult"),
        truncated=_flag(element, "truncated"),
    )


def _box(element: Element | None) -> Box | None:
    if element is None:
        return None
    numbers = [_number(element.findtext(corner)) for corner in CORNERS]
    return None if any(map(math.isnan, numbers)) else (numbers[0], numbers[1], numbers[2], numbers[3])


def _number(text: str | None) -> float:
    """A finite number (VOC 2012 has boxes like 45.70), else not-a-number."""
    try:
        number = float(text or "")
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _flag(element: Element, name: str) -> bool:
    return (element.findtext(name) or "").strip().lower() in ("1", "true")


def _size(root: Element) -> tuple[int, int] | None:
    height, width = _number(root.findtext("size/height")), _number(root.findtext("size/width"))
    # A few editors write 0 when they do not know.
    return (int(height), int(width)) if height > 0 and width > 0 else None
