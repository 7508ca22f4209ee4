"""Name tags of instances: small, legible on anything, inside the picture, and out of each other's way."""

from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox, IdentityTransform

from lessons import palette

FONT_SIZE = 9.0  # points
PADDING = 0.28  # of the font size, on every side


@dataclass(frozen=True)
class Tag:
    """`text` beside the box `(x1, y1, x2, y2)` of an instance, in data coordinates, on `colour`."""

    text: str
    box: tuple[float, float, float, float]
    colour: str


class TagLayer(Artist):
    """All tags of one picture. Placed when the figure is drawn: only then is the size of text known."""

    def __init__(self, axes: Axes, tags: list[Tag]) -> None:
        super().__init__()
        self.tags = tags
        self.placed: list[Bbox] = []  # filled by draw: where each tag went, in display pixels
        self.set_zorder(10)
        self.set_in_layout(False)
        axes.add_artist(self)

    def draw(self, renderer: RendererBase) -> None:
        """Place and draw every tag, the first instances first: they get the best places."""
        self.placed = []
        if not self.get_visible():
            return
        window = self.axes.get_window_extent(renderer)
        for tag in self.tags:
            text = self._text(tag.text, tag.colour)
            extent = fit(text, renderer, window.width)
            pad = PADDING * renderer.points_to_pixels(FONT_SIZE)
            corners = self.axes.transData.transform([tag.box[:2], tag.box[2:]])
            box = Bbox([corners.min(axis=0), corners.max(axis=0)])
            spot = place(extent.width + 2 * pad, extent.height + 2 * pad, box, window, self.placed)
            self.placed.append(spot)
            self._draw_tag(renderer, text, spot, pad, tag.colour)

    def _text(self, words: str, colour: str) -> Text:
        text = Text(
            0, 0, words, fontsize=FONT_SIZE, color=palette.ink_on(colour), va="baseline", parse_math=False
        )
        text.set_figure(self.get_figure())
        text.set_transform(IdentityTransform())
        return text

    def _draw_tag(self, renderer: RendererBase, text: Text, spot: Bbox, pad: float, colour: str) -> None:
        rounding = renderer.points_to_pixels(2)
        ground = FancyBboxPatch(
            (spot.x0, spot.y0), spot.width, spot.height,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=colour, edgecolor=palette.PAPER, linewidth=0.8, transform=IdentityTransform(),
        )  # fmt: skip
        ground.set_figure(self.get_figure())
        ground.draw(renderer)
        text.set_position((0, 0))
        own = text.get_window_extent(renderer)
        text.set_position((spot.x0 + pad - own.x0, spot.y0 + pad - own.y0))
        text.draw(renderer)


def fit(text: Text, renderer: RendererBase, room: float) -> Bbox:
    """The extent of `text`, shortened with an ellipsis until it fits into `room` pixels."""
    words = text.get_text()
    extent = text.get_window_extent(renderer)
    pad = 2 * PADDING * renderer.points_to_pixels(FONT_SIZE)
    while extent.width + pad > room and len(words) > 1:
        words = words[: max(1, min(len(words) - 1, int(len(words) * (room - pad) / extent.width)))]
        text.set_text(words.rstrip() + "…")
        extent = text.get_window_extent(renderer)
    return extent


def place(width: float, height: float, box: Bbox, window: Bbox, taken: list[Bbox]) -> Bbox:
    """Where a tag of `width` × `height` goes: of eight places at the corners of `box`, moved into `window`,
    the first that overlaps no tag in `taken`; if there is none, the one that overlaps least.

    All in display pixels, y upwards.
    """
    lefts = (box.x0, box.x1 - width)
    bottoms = (box.y1, box.y1 - height, box.y0 - height, box.y0)  # above, inside at the top, below, inside
    best, least = None, float("inf")
    for bottom in bottoms:
        for left in lefts:
            x = min(max(left, window.x0), max(window.x0, window.x1 - width))
            y = min(max(bottom, window.y0), max(window.y0, window.y1 - height))
            spot = Bbox.from_bounds(x, y, width, height)
            overlap = sum(shared_area(spot, other) for other in taken)
            if overlap < least:
                best, least = spot, overlap
            if least == 0:
                return best
    return best


def shared_area(a: Bbox, b: Bbox) -> float:
    """The area that two rectangles share."""
    wide = min(a.x1, b.x1) - max(a.x0, b.x0)
    high = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(wide, 0) * max(high, 0)
