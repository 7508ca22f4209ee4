"""Looking at every file of a data set before training on it: the report, and the work in parallel."""

import html
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tqdm.auto import tqdm

ERROR, NOTE = "error", "note"
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Problem:
    """One row of the report. An "error" stops reading or misleads training; a "note" is worth knowing."""

    image: str
    file: str
    kind: str
    severity: str
    message: str


@dataclass
class Checked:
    """What the check of one picture found. `size` is (height, width); None if it cannot be read."""

    problems: list[Problem] = field(default_factory=list)
    size: tuple[int, int] | None = None
    instances: int = 0
    objects: int = 0


@dataclass(frozen=True)
class Report:
    """What `check()` found in a whole data set.

    Attributes:
        problems: the rows, in the order of the data set.
        images: how many pictures were looked at.
        instances: how many masks of instances there are.
        objects: how many objects the annotations list.
        aspect_ratios: height / width of each picture; not-a-number where it cannot be read.
        title: which data set this is.
    """

    problems: tuple[Problem, ...]
    images: int
    instances: int
    objects: int
    aspect_ratios: tuple[float, ...]
    title: str = ""

    @property
    def ok(self) -> bool:
        """True without errors; notes are allowed."""
        return not any(problem.severity == ERROR for problem in self.problems)

    @property
    def summary(self) -> str:
        """One line: what was looked at and what came out."""
        errors = sum(problem.severity == ERROR for problem in self.problems)
        notes = len(self.problems) - errors
        counts = f"{_count(self.images, 'image')}, {_count(self.objects, 'object')}, "
        counts += f"{_count(self.instances, 'instance')}"
        found = f"{_count(errors, 'error')}, {_count(notes, 'note')}" if self.problems else "no problems"
        return f"{self.title}: {counts}: {found}" if self.title else f"{counts}: {found}"

    def rows(self) -> list[tuple[str, ...]]:
        """The table's head and rows, as text."""
        head = ("severity", "kind", "image", "file", "message")
        return [head, *((p.severity, p.kind, p.image, p.file, p.message) for p in self.problems)]

    def __str__(self) -> str:
        if not self.problems:
            return self.summary
        rows = self.rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        rows.insert(1, tuple("-" * width for width in widths))
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([self.summary, "", *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        summary = f"<p>{html.escape(self.summary)}</p>"
        if not self.problems:
            return summary
        head, *rows = self.rows()
        return f"{summary}<table><thead>{_html_row(head, 'th')}</thead><tbody>" + (
            "".join(_html_row(row, "td") for row in rows) + "</tbody></table>"
        )


def gather(checked: Sequence[Checked], before: Iterable[Problem] = (), title: str = "") -> Report:
    """The report of a data set from what was found in each picture, and `before` in its lists."""
    return Report(
        problems=(*before, *(problem for one in checked for problem in one.problems)),
        images=len(checked),
        instances=sum(one.instances for one in checked),
        objects=sum(one.objects for one in checked),
        aspect_ratios=tuple(one.size[0] / one.size[1] if one.size else float("nan") for one in checked),
        title=title,
    )


def in_parallel(
    work: Callable[[Item], Outcome],
    items: Sequence[Item],
    workers: int | None = None,
    progress: bool = True,
    title: str = "checking",
) -> list[Outcome]:
    """`[work(item) for item in items]` on several threads, with a progress bar; the order is kept.

    Threads, not processes: decoding pictures, which is most of the work, lets other threads run meanwhile,
    and a fresh process would first spend seconds on importing torch.
    """
    workers = workers if workers is not None else min(_cores(), 16)
    bar = tqdm(total=len(items), desc=title, unit="image", disable=not progress, leave=False)
    with bar, ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        outcomes = []
        for outcome in pool.map(work, items):
            outcomes.append(outcome)
            bar.update()
    return outcomes


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _cores() -> int:
    """The cores that this process may use; only Linux can say that they are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
