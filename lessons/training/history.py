"""What happened in a run, iteration by iteration; kept in memory and, line by line, in a file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lessons.files import write_atomically


@dataclass
class History:
    """The losses of every iteration and the results of every evaluation.

    Attributes:
        steps: dicts of iteration, learning_rate, loss (the sum) and each part of it.
        evaluations: dicts of iteration (how many were done) and the numbers of the evaluation.
        path: the file that every line is written to at once, as JSON; None: none.
    """

    steps: list[dict[str, Any]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    path: Path | None = None

    @classmethod
    def begin(cls, path: Path | None, iteration: int) -> "History":
        """What the file says of the iterations before `iteration`; all else leaves the file.

        After a crash the file knows of iterations that no checkpoint has seen. They are run again.
        """
        history = cls(path=path)
        if path is None:
            return history
        for line in _lines(path):
            if "evaluation" in line and line["iteration"] <= iteration:
                history.evaluations.append({"iteration": line["iteration"], **line["evaluation"]})
            elif "loss" in line and line["iteration"] < iteration:
                history.steps.append(line)
        write_atomically(path, b"".join(_text(line) for line in history._in_order()))
        return history

    def add_step(self, line: dict[str, Any]) -> None:
        """One iteration more."""
        self.steps.append(line)
        self._write(line)

    def add_evaluation(self, iteration: int, numbers: dict[str, float]) -> None:
        """One evaluation more."""
        self.evaluations.append({"iteration": iteration, **numbers})
        self._write({"iteration": iteration, "evaluation": numbers})

    def column(self, name: str) -> list[float]:
        """One number of every iteration: column("loss")."""
        return [step[name] for step in self.steps]

    def _write(self, line: dict[str, Any]) -> None:
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(_text(line))

    def _in_order(self) -> list[dict[str, Any]]:
        evaluations = [
            {"iteration": one["iteration"], "evaluation": {k: v for k, v in one.items() if k != "iteration"}}
            for one in self.evaluations
        ]
        # An evaluation "after 10" stands before the step number 10, the eleventh.
        return sorted([*evaluations, *self.steps], key=lambda line: (line["iteration"], "loss" in line))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of the file; none if there is no file. A last line that a crash cut off is left out."""
    found = []
    try:
        for text in path.read_bytes().splitlines():
            found.append(json.loads(text))
    except FileNotFoundError:
        pass
    except ValueError:
        pass
    return found


def _text(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"
