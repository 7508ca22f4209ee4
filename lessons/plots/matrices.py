"""Small tensors written out as tables: the figure that stands beside every computation by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lessons import palette
from lessons.errors import LessonsError
from lessons.plots.layers import array_of
from lessons.plots.showing import new_figure

MOST_CELLS = 24  # of a side; more cannot be read
CELL = 0.42  # inches
Cells = Any  # a bool array like the matrix, or a sequence of (row, column)


def matrix(
    tensor: Any,
    *,
    title: str = "",
    values: bool = True,
    decimals: int = 2,
    shade: bool = False,
    highlight: Cells | None = None,
    roles: Mapping[str, Cells] | None = None,
    row_labels: Sequence[Any] | None = None,
    column_labels: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A matrix (H, W), or a vector (W,) as one row, as a table of its numbers.

    Args:
        tensor: integers are written as they are, floats rounded to `decimals`; bools become filled cells.
        values: write the numbers; without them the cells are smaller.
        shade: shade the cells from paper (the least value) to blue-grey (the greatest).
        highlight: cells on yellow: a bool matrix of the same shape, or (row, column) pairs.
        roles: cells by role, {"positive": cells, "ignored": cells}; the names of `palette.ROLES`.
        row_labels, column_labels: written at the left and at the top; `range(4)` numbers them.

    Raises:
        LessonsError: not one- or two-dimensional, empty, or more than 24 cells a side.
    """
    table = readable(tensor)
    rows, columns = table.shape
    if ax is None:
        cell = CELL if not values else cell_width(table, decimals)
        left, top = (0.5 if row_labels is not None else 0.1), (0.3 if column_labels is not None else 0.05)
        wide = max(columns * cell + left, 0.085 * len(title))
        ax = new_figure(wide, rows * CELL + top + (0.35 if title else 0.05)).add_subplot()
    grounds = cell_grounds(table, shade, highlight, roles)
    for row in range(rows):
        for column in range(columns):
            draw_cell(ax, row, column, table[row, column], grounds[row][column], values, decimals)
    ax.set(xlim=(-0.03, columns + 0.03), ylim=(rows + 0.03, -0.03), xticks=[], yticks=[])
    ax.set_aspect("auto")
    for side in ax.spines.values():
        side.set_visible(False)
    label_cells(ax, row_labels, column_labels)
    if title:
        ax.set_title(title, fontsize=9.5, pad=18 if column_labels is not None else 6)
    return ax


def matrices(
    tensors: Sequence[Any],
    titles: Sequence[str] | None = None,
    signs: Sequence[str] | None = None,
    *,
    options: Sequence[Mapping[str, Any]] | None = None,
    **common: Any,
) -> Figure:
    """Matrices in a row, with a sign between them: `matrices([a, b, c], ["a", "b", "a·b"], ["·", "="])`.

    Args:
        signs: one fewer than tensors; None leaves a gap, "→" reads well for steps.
        options: for each matrix, options of `matrix` that are its own; `common` ones hold for all.

    Raises:
        LessonsError: no tensors, or another number of titles, signs or options than fits.
    """
    count = len(tensors)
    titles, options = titles or [""] * count, options or [{}] * count
    signs = signs if signs is not None else [""] * (count - 1)
    if not count or len(titles) != count or len(options) != count or len(signs) != count - 1:
        raise LessonsError(
            f"{count} tensors, {len(titles)} titles, {len(options)} options, {len(signs)} signs: "
            "give one title and one option for each tensor and one sign fewer."
        )
    tables = [readable(tensor) for tensor in tensors]
    sizes = [(len(t) * CELL, t.shape[1] * cell_width(t, common.get("decimals", 2))) for t in tables]
    widths = [
        max(wide + 0.15, 0.08 * len(title) + 0.1) for (_, wide), title in zip(sizes, titles, strict=True)
    ]
    tallest = max(high for high, _ in sizes)
    labelled = any({"row_labels", "column_labels"} & set(o) for o in [*options, common])
    gap = 0.4 if any(signs) else 0.25
    widths = [wide + (0.3 if labelled else 0) for wide in widths]
    height = tallest + (0.35 if any(titles) else 0.1) + (0.25 if labelled else 0)
    figure = new_figure(sum(widths) + gap * (count - 1), height)
    ratios = [part for wide in widths for part in (wide, gap)][:-1]
    axes = figure.subplots(1, 2 * count - 1, squeeze=False, gridspec_kw={"width_ratios": ratios})[0]
    for number, table in enumerate(tables):
        ax = matrix(table, title=titles[number], ax=axes[2 * number], **{**common, **options[number]})
        ax.set_ylim((len(table) + tallest / CELL) / 2 + 0.03, (len(table) - tallest / CELL) / 2 - 0.03)
    for ax, sign in zip(axes[1::2], signs, strict=True):
        ax.set_axis_off()
        ax.text(0.5, 0.5, sign, ha="center", va="center", fontsize=15, transform=ax.transAxes)
    return figure


def readable(tensor: Any) -> np.ndarray:
    """The tensor as a two-dimensional array that fits on a page."""
    table = array_of(tensor)
    table = table[None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise LessonsError(
            f"tensor has shape {table.shape}: a matrix figure needs (H, W) or (W,), not empty."
        )
    if max(table.shape) > MOST_CELLS:
        raise LessonsError(
            f"tensor has shape {table.shape}: nobody reads more than {MOST_CELLS} cells a side; cut it."
        )
    return table


def written(value: Any, decimals: int) -> str:
    """A cell's number: integers as they are, floats rounded, without a minus before zero."""
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, int | np.integer):
        return str(value).replace("-", "−")
    if isinstance(value, str):
        return value
    if not np.isfinite(value):
        return {"inf": "∞", "-inf": "−∞"}.get(str(float(value)), "nan")
    rounded = f"{value:.{decimals}f}"
    return rounded.replace("-", "" if float(rounded) == 0 else "−")


def cell_width(table: np.ndarray, decimals: int) -> float:
    """Inches that the longest number of the table needs."""
    longest = max(len(written(value, decimals)) for value in table.flat)
    return max(CELL, 0.088 * longest + 0.16)


def cell_grounds(
    table: np.ndarray, shade: bool, highlight: Cells | None, roles: Mapping[str, Cells] | None
) -> list:
    """The ground colour of every cell, as rows of (r, g, b) or colour names."""
    grounds: list[list[Any]] = [[palette.PAPER] * table.shape[1] for _ in table]
    if table.dtype == bool:
        grounds = [[palette.GROUND_TRUTH if value else palette.PAPER for value in row] for row in table]
    elif shade:
        low, high = np.nanmin(table), np.nanmax(table)
        share = (table.astype(float) - low) / (high - low if high > low else 1)
        paper, deep = np.array([1.0, 1.0, 1.0]), np.array([0.55, 0.68, 0.80])
        grounds = [[tuple(paper + (deep - paper) * part) for part in row] for row in np.nan_to_num(share)]
    for role, cells in (roles or {}).items():
        for row, column in pairs(cells, table.shape):
            grounds[row][column] = palette.role_colour(role)
    for row, column in pairs(highlight, table.shape):
        grounds[row][column] = palette.HIGHLIGHT
    return grounds


def pairs(cells: Cells | None, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """(row, column) pairs of a bool matrix or of a list of pairs, which may count from the end."""
    if cells is None:
        return []
    given = array_of(cells)
    if given.dtype == bool:
        given = np.argwhere(given.reshape(shape))
    return [(int(row) % shape[0], int(column) % shape[1]) for row, column in given.reshape(-1, 2)]


def draw_cell(ax: Axes, row: int, column: int, value: Any, ground: Any, values: bool, decimals: int) -> None:
    """One cell: its ground, its frame, its number."""
    ax.add_patch(Rectangle((column, row), 1, 1, facecolor=ground, edgecolor=palette.FAINT, linewidth=0.9))
    if values:
        ink = palette.ink_on(ground) if isinstance(ground, str) else palette.INK
        words = written(value, decimals)
        # What is zero is there but seldom the subject.
        pale = ground == palette.PAPER and words.strip("0.") == ""
        ax.text(
            column + 0.5,
            row + 0.5,
            words,
            ha="center",
            va="center_baseline",
            color="#8794A1" if pale else ink,
        )


def label_cells(ax: Axes, row_labels: Sequence[Any] | None, column_labels: Sequence[Any] | None) -> None:
    """Names of rows at the left, of columns at the top."""
    for column, name in enumerate(column_labels or []):
        ax.text(column + 0.5, -0.15, str(name), ha="center", va="bottom", fontsize=9, color="#5B6875")
    for row, name in enumerate(row_labels or []):
        ax.text(-0.15, row + 0.5, str(name), ha="right", va="center", fontsize=9, color="#5B6875")
