"""The outcome of an evaluation: a few numbers for each kind of overlap, as text, as HTML, as a dict."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lessons.errors import LessonsError
from lessons.evaluation.average_precision import AREA_RANGES

COLUMNS = ("AP", "AP50", "AP75", "small", "medium", "large", "AR")


@dataclass(frozen=True)
class Measure:
    """Average precision by one kind of overlap. Not-a-number where no object was to be found (COCO's -1).

    Attributes:
        kind: "masks", "boxes" or "boundaries".
        AP: mean over classes and ten thresholds of the overlap, 0.50, 0.55, ... 0.95.
        AP50, AP75: at one threshold, 0.50 or 0.75.
        small, medium, large: AP for objects of up to 32², up to 96² and more pixels.
        AR: the recall reached with all detections allowed, mean over classes and thresholds.
        by_class: AP of each class by its name.
        precision: (T, R, C, A) float64: at ten thresholds, 101 recalls, C classes, and areas "all", "small",
            "medium", "large".
    """

    kind: str
    AP: float
    AP50: float
    AP75: float
    small: float
    medium: float
    large: float
    AR: float
    by_class: dict[str, float]
    precision: np.ndarray = field(repr=False, compare=False)

    @classmethod
    def from_curves(
        cls, kind: str, precision: np.ndarray, recall: np.ndarray, classes: Sequence[str]
    ) -> "Measure":
        """From precision (T, R, C, A) and the highest recall (T, C, A); not-a-number without objects."""
        area = {name: precision[..., place] for place, name in enumerate(AREA_RANGES)}  # (T, R, C) each
        everything = area["all"]
        return cls(
            kind=kind,
            AP=_mean(everything),
            AP50=_mean(everything[0]),
            AP75=_mean(everything[5]),
            small=_mean(area["small"]),
            medium=_mean(area["medium"]),
            large=_mean(area["large"]),
            AR=_mean(recall[..., 0]),
            by_class={name: _mean(everything[..., place]) for place, name in enumerate(classes)},
            precision=precision,
        )

    def as_dict(self) -> dict[str, Any]:
        """The numbers, and "by_class", ready for JSON: None where there was nothing to find."""
        numbers = {column: _or_none(getattr(self, column)) for column in COLUMNS}
        return {**numbers, "by_class": {name: _or_none(ap) for name, ap in self.by_class.items()}}


@dataclass(frozen=True)
class Table:
    """What `measure` and `evaluate` give: `table["masks"].AP`; `table.AP` is that of the first kind.

    Attributes:
        measures: one for each kind of overlap, in the order asked for.
        images: how many images were looked at.
        objects: how many objects were to be found, crowds not counted.
        detections: how many were offered.
    """

    measures: tuple[Measure, ...]
    images: int
    objects: int
    detections: int

    @property
    def AP(self) -> float:
        """AP of the first kind."""
        return self.measures[0].AP

    def __getitem__(self, kind: str) -> Measure:
        for measure in self.measures:
            if measure.kind == kind:
                return measure
        known = ", ".join(measure.kind for measure in self.measures)
        raise LessonsError(
            f"This table has no {kind!r}: it was made for {known}; ask for it when evaluating."
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything but the curves, ready for JSON."""
        counts = {"images": self.images, "objects": self.objects, "detections": self.detections}
        return {**counts, **{measure.kind: measure.as_dict() for measure in self.measures}}

    @property
    def summary(self) -> str:
        """One line: what was compared."""
        return f"{self.images} images, {self.objects} objects, {self.detections} detections"

    def rows(self) -> list[tuple[str, ...]]:
        """Head and rows of the table, as text."""
        body = [(one.kind, *(_text(getattr(one, name)) for name in COLUMNS)) for one in self.measures]
        return [("", *COLUMNS), *body]

    def rows_by_class(self) -> list[tuple[str, ...]]:
        """The same by class: AP of each kind, of the classes that occur."""
        head = ("class", *(f"AP {measure.kind}" for measure in self.measures))
        names = [name for name, ap in self.measures[0].by_class.items() if not math.isnan(ap)]
        return [head, *((name, *(_text(one.by_class[name]) for one in self.measures)) for name in names)]

    def __str__(self) -> str:
        return "\n\n".join([_as_text(self.rows()), _as_text(self.rows_by_class()), self.summary])

    def _repr_html_(self) -> str:
        by_class = f"<details><summary>by class</summary>{_as_html(self.rows_by_class())}</details>"
        return f"{_as_html(self.rows())}{by_class}<p>{html.escape(self.summary)}</p>"


def _mean(values: np.ndarray) -> float:
    """The mean of the numbers among them; not-a-number if there is none."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _as_text(rows: list[tuple[str, ...]]) -> str:
    """The first column to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _as_html(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    return f"<table><thead>{_html_row(head, 'th')}</thead><tbody>" + (
        "".join(_html_row(row, "td") for row in body) + "</tbody></table>"
    )


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
