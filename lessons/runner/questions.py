"""Where the questions of readers are answered: an index of the lessons' headings, for the README."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

HEADING = re.compile(
    r"^#+ (?P<heading>Question (?P<number>\d+)(?!\.)(?:, [^:]*)?: (?P<words>.+))$", re.MULTILINE
)
FIRST_ROW = "| question | answered in |\n|---|---|"


@dataclass(frozen=True)
class Answer:
    """A heading that puts a question.

    Attributes:
        number: of the question, from 1 on. words: as the lesson puts it. lesson: "07_from_cells_to_masks".
        link: from the repository's top to the cell, as JupyterLab follows it.
    """

    number: int
    words: str
    lesson: str
    link: str


def answers(lessons: Sequence[Path]) -> list[Answer]:
    """Every heading "Question 12: …" of the lessons, by number, then by lesson."""
    found = []
    for path in lessons:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        for match in HEADING.finditer(text):
            anchor = quote(re.sub(r"[`*]", "", match["heading"]).replace(" ", "-"))
            link = f"notebooks/{path.name}#{anchor}"
            found.append(Answer(int(match["number"]), match["words"], path.stem, link))
    return sorted(found, key=lambda answer: (answer.number, answer.lesson))


def index(lessons: Sequence[Path]) -> str:
    """A row for every question, in Markdown: the words of the lesson that first puts it, and all links."""
    rows: dict[int, list[Answer]] = {}
    for answer in answers(lessons):
        rows.setdefault(answer.number, []).append(answer)
    lines = [
        f"| {number}. {found[0].words.replace('|', chr(92) + '|')} | "
        f"{', '.join(f'[{answer.lesson[:2]}]({answer.link})' for answer in found)} |"
        for number, found in rows.items()
    ]
    return "\n".join([FIRST_ROW, *lines])


def out_of_date(lessons: Sequence[Path], folder: Path) -> list[str]:
    """A sentence, if `README.md` in `folder` has an index that is not that of the lessons."""
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if f"{index(lessons)}\n\n" in f"{text}\n\n":  # whole: a blank line ends a table
        return []
    remedy = "print it by `lessons notebooks --questions`"
    return [f"README.md: the index of questions is not that of the lessons; {remedy}."]
