"""Style, and the one way in which a figure reaches the notebook."""

import base64
import io
from collections.abc import Sequence
from typing import Literal

import matplotlib
import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from lessons import palette
from lessons.errors import LessonsError

DPI = 100  # stored pixels per inch: 9 pt text is 12.5 pixels high, and a figure stays well under 100 kB
JPEG_QUALITY = 85
COLOURS = 256  # of a stored plot
Kind = Literal["plot", "photo"]
MIME = {"plot": "image/png", "photo": "image/jpeg"}


def style() -> None:
    """Set the course's matplotlib style: ink on paper, one font, nothing that carries no information."""
    matplotlib.rcParams.update(
        {
            "figure.dpi": DPI,
            "savefig.dpi": DPI,
            "figure.facecolor": palette.PAPER,
            "font.family": "DejaVu Sans",
            "font.size": 9.5,
            "axes.titlesize": 10,
            "axes.labelsize": 9.5,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "text.color": palette.INK,
            "axes.labelcolor": palette.INK,
            "axes.titlecolor": palette.INK,
            "axes.edgecolor": palette.INK,
            "xtick.color": palette.INK,
            "ytick.color": palette.INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "grid.color": palette.FAINT,
            "lines.linewidth": 1.8,
            "axes.prop_cycle": matplotlib.cycler(color=palette.INSTANCES),
        }
    )


def new_figure(width: float, height: float) -> Figure:
    """A figure of `width` × `height` inches that pyplot does not keep: it needs no closing to be freed."""
    style()
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=palette.PAPER)


def render(figure: Figure | Axes, kind: Kind = "plot", *, few_colours: bool = False) -> bytes:
    """The figure as a file's bytes: PNG for plots (sharp lines), JPEG for photographs (a fifth of the size).

    Args:
        few_colours: a PNG of 256 colours: half of the bytes, which a notebook needs and a file does not.

    Raises:
        LessonsError: `kind` is neither "plot" nor "photo".
    """
    if kind not in MIME:
        raise LessonsError(f'kind={kind!r} is unknown: choose "plot" (PNG) or "photo" (JPEG).')
    target = io.BytesIO()
    figure = as_figure(figure)
    if kind == "plot":
        # No software version and no date inside: the same figure gives the same bytes.
        figure.savefig(target, format="png", dpi=DPI, metadata={"Software": None})
        return _with_palette(target) if few_colours else target.getvalue()
    figure.savefig(
        target,
        format="jpeg",
        dpi=DPI,
        pil_kwargs={"quality": JPEG_QUALITY, "optimize": True, "subsampling": 0},
    )
    return target.getvalue()


def _with_palette(png: io.BytesIO) -> bytes:
    """The same picture from its 256 most frequent colours: a plot has few, and takes half of the bytes."""
    target = io.BytesIO()
    few = Image.open(png).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(target, format="png", optimize=True)
    return target.getvalue()


def show(
    figures: Figure | Axes | Sequence[Figure | Axes],
    caption: str,
    *,
    kind: Kind = "plot",
    width: int | None = None,
) -> None:
    """Display figures in the notebook, the caption as their alt text and as a line in italics underneath.

    Args:
        figures: one figure (or an Axes of it), or several, displayed one under the other.
        caption: what to look at, in a sentence.
        kind: "plot" is stored as PNG, "photo" (pictures fill the figure) as JPEG.
        width: width on the page in CSS pixels; None: as stored, 100 pixels per inch.

    The figures are closed afterwards: they cannot be shown again.

    Raises:
        LessonsError: there is no caption, or `kind` is unknown.
    """
    if not caption.strip():
        raise LessonsError("show() needs a caption: write the sentence that says what to look at.")
    several = list(figures) if isinstance(figures, Sequence) else [figures]
    for figure in several:
        bundle, metadata = image_bundle(render(figure, kind, few_colours=True), caption, kind, width)
        display(bundle, metadata=metadata, raw=True)
        close(as_figure(figure))
    display({"text/markdown": f"*{caption.strip()}*", "text/plain": caption.strip()}, raw=True)


def image_bundle(content: bytes, caption: str, kind: Kind, width: int | None = None) -> tuple[dict, dict]:
    """(data, metadata) of one displayed picture, as Jupyter wants them: the caption is the alt text."""
    shown = {"alt": caption.strip()} | ({} if width is None else {"width": width})
    encoded = base64.b64encode(content).decode("ascii")
    return {MIME[kind]: encoded, "text/plain": caption.strip()}, {MIME[kind]: shown}


def as_figure(figure: Figure | Axes) -> Figure:
    """The figure itself, whichever of the two is given."""
    return figure.figure if isinstance(figure, Axes) else figure


def close(figure: Figure) -> None:
    """Free what the figure holds; pyplot forgets it as well, or the notebook would draw it a second time."""
    figure.clear()
    plt.close(figure)
