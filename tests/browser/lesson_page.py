"""A lesson in a browser's page: run its cells, move an explorer's sliders by keyboard, see its picture."""

import json
import time
from pathlib import Path

from playwright.sync_api import Browser, Locator

ANSWER = 300.0  # seconds that the page or the kernel may take to answer, on a busy machine
SETTLED = 0.5  # seconds in which the page may still draw after it has the kernel's answer
MOST_STEPS = 8  # of a slider: a step may leave the picture as it is, if one of the next changes it


class LessonPage:
    """A notebook in a page of its own, which begins at once to load and to run all cells."""

    def __init__(self, browser: Browser, address: str, name: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 1200})
        self.page.set_default_timeout(1000 * ANSWER)
        script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
        self.page.add_init_script(f"{script}\nlesson.begin({json.dumps(name)});")
        self.page.goto(address, wait_until="commit")

    def wait_until_run(self) -> None:
        """Every cell is run, to its end and without an error."""
        unrun = self.page.wait_for_function("async () => [await lesson.ran]").json_value()[0]
        self.check_error_free()
        assert unrun == 0, f"{unrun} cells have not been run"

    def errors(self) -> list[str]:
        """Errors and stderr of all cells and of all callbacks of widgets, since the notebook is open."""
        return self.page.evaluate("() => lesson.errors")

    def check_error_free(self) -> None:
        found = self.errors()
        assert not found, "\n".join(found)

    def show(self, cell_id: str) -> "Face":
        """The explorer that is a cell's output, brought into view."""
        self.page.evaluate("id => lesson.show(id)", cell_id)
        return Face(self, self.page.locator(f"[data-shown={json.dumps(cell_id)}]"))

    def shut_down(self) -> None:
        """End the kernel."""
        self.page.evaluate("() => lesson.shutDown()")


class Face:
    """One explorer as a reader sees it: sliders, a picture, a place for an error."""

    def __init__(self, lesson: LessonPage, cell: Locator) -> None:
        self.lesson, self.page = lesson, lesson.page
        self.face = cell.locator(".jp-OutputArea-output .widget-vbox").first
        self.picture = self.face.locator("img.widget-image")
        self.picture.wait_for()
        loaded = "picture => picture.complete && picture.naturalWidth > 0"
        self.page.wait_for_function(loaded, arg=self.picture.element_handle())

    def sliders(self) -> list[tuple[str, Locator]]:
        """The label and the handle of every slider."""
        boxes = self.face.locator(".widget-hslider, .widget-vslider").all()
        labels = [box.locator(".widget-label").inner_text() for box in boxes]
        handles = [box.locator(".noUi-handle").first for box in boxes]
        return list(zip(labels, handles, strict=True))

    def look(self) -> bytes:
        """A screenshot of the picture."""
        return self.picture.screenshot()

    def press(self, handle: Locator, key: str, before: bytes) -> bytes:
        """Press a key on a slider and wait for the kernel's answer; the picture as it is then."""
        sent = self.page.evaluate("() => lesson.sent")
        handle.focus()
        self.page.keyboard.press(key)
        self.page.wait_for_function(
            "async ([sent, picture]) => { await lesson.answered(sent, picture); return true; }",
            arg=[sent, self.picture.element_handle()],
        )
        end_of_patience = time.monotonic() + SETTLED
        while (now := self.look()) == before and time.monotonic() < end_of_patience:
            self.page.wait_for_timeout(50)
        return now

    def move(self, label: str, handle: Locator) -> None:
        """A slider by its arrow keys: the picture changes on the way; the way back brings the first again."""
        first = now = self.look()
        there, back = (
            ("ArrowRight", "ArrowLeft") if has_room(handle, "ArrowRight") else ("ArrowLeft", "ArrowRight")
        )
        steps = 0
        while now == first:
            # At its end a slider sends nothing, and nothing would be answered.
            more = steps < MOST_STEPS and has_room(handle, there)
            assert more, f"“{label}”: the picture is the same after {steps} steps of the slider"
            now = self.press(handle, there, now)
            steps += 1
        for _ in range(steps):
            now = self.press(handle, back, now)
        assert now == first, f"“{label}”: moved and moved back, the slider leaves another picture"

    def check_error_free(self) -> None:
        """Neither the kernel nor the explorer's own place for errors says anything."""
        self.lesson.check_error_free()
        words = self.face.locator(":scope > .widget-html").first.inner_text().strip()
        assert not words, words

    def keep(self, path: Path) -> None:
        """A screenshot of controls, picture and caption."""
        self.face.screenshot(path=path)


def has_room(handle: Locator, key: str) -> bool:
    """Whether the arrow key can move the slider."""
    now, least, most = (float(handle.get_attribute(f"aria-value{name}")) for name in ("now", "min", "max"))
    return now < most if key == "ArrowRight" else now > least
