"""What a stored notebook must be, read from the file alone: nbval passes over much of it in silence.

A notebook without outputs passes every marked cell of nbval; GitHub refuses to draw one with widget state.
So each rule here is a fact about the file, and a test breaks each one on a copy to see it reported.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

MARK = "NBVAL_CHECK_OUTPUT"
LARGEST = 1_000_000  # bytes
# What every lesson holds, as headings of its text (any level, the words at the beginning).
SECTIONS = ("Objectives", "Questions readers ask", "Exercises", "Summary")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# A folder of somebody's machine, at the beginning of a word: /home/…, C:\…
ABSOLUTE = re.compile(
    r"(?<![\w./~-])(?:/(?:home|root|work|tmp|Users|usr|opt|mnt|private|var|content|builds)/[\w.-]|[A-Z]:\\\\?(?![nt])\w)"
)
BAR = re.compile(r"\d+%\|.*\||\bit/s\]|\bs/it\]")


def hygiene(path: str | Path) -> list[str]:
    """Everything that is wrong with a notebook's file, one sentence each that begins with its name.

    Solutions (in a folder `solutions`) need no sections.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        notebook = json.loads(raw)
        nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        return [
            f"{path.name}: cannot be read as a notebook ({str(error).splitlines()[0]}); restore the file."
        ]
    problems = [*file_problems(notebook, len(raw)), *count_problems(notebook)]
    for number, cell in enumerate(notebook["cells"]):
        problems += [f"cell {number} {problem}" for problem in cell_problems(cell)]
    if path.parent.name != "solutions":
        problems += section_problems(notebook)
    return [f"{path.name}: {problem}" for problem in problems]


def missing_from_readme(lessons: Sequence[Path], folder: Path) -> list[str]:
    """The lessons whose file name `README.md` in `folder` does not hold."""
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    return [
        f"README.md: does not list notebooks/{path.name}; add it."
        for path in lessons
        if path.name not in text
    ]


def file_problems(notebook: dict[str, Any], size: int) -> Iterator[str]:
    """Size, kernel, widget state."""
    if size > LARGEST:
        yield f"is {size / 1e6:.1f} MB and may be 1 MB; make figures smaller or fewer."
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        yield "does not name the kernel python3; run `lessons notebooks`."
    if "widgets" in notebook["metadata"]:
        yield "holds widget state (metadata.widgets), which GitHub does not draw; run `lessons notebooks`."


def count_problems(notebook: dict[str, Any]) -> Iterator[str]:
    """Execution counts must run 1, 2, 3 … over the code cells that are not empty."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code if source_of(cell).strip()]
    if counts != list(range(1, len(counts) + 1)):
        yield "was not run from a clean kernel in order (execution counts); run `lessons notebooks`."


def cell_problems(cell: dict[str, Any]) -> Iterator[str]:
    """Of one cell: its marks, its outputs, its paths."""
    source, outputs = source_of(cell), cell.get("outputs", [])
    if MARK in source and not outputs:
        yield f"is marked {MARK} and holds no output: nothing would be compared; run `lessons notebooks`."
    for output in outputs:
        if output["output_type"] == "error":
            yield f"holds an error ({output['ename']}); repair it and run `lessons notebooks`."
        if output.get("name") == "stderr":
            yield "holds output on stderr; silence its cause."
        if WIDGET_VIEW in output.get("data", {}):
            yield "holds the view of a widget that is not stored; run `lessons notebooks`."
        text = text_of(output)
        if BAR.search(text):
            yield "holds a progress bar; run `lessons notebooks`."
        if found := ABSOLUTE.search(text):
            yield f"has an absolute path in its output ({found[0]}…); print paths relative to the repository."
    if found := ABSOLUTE.search(source):
        yield f"has an absolute path in its source ({found[0]}…); use one relative to the repository."


def section_problems(notebook: dict[str, Any]) -> Iterator[str]:
    """Every section that a lesson needs, as a heading of its own."""
    prose = "\n".join(source_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    for section in SECTIONS:
        if not re.search(rf"^#+\s+(?:[\d.]+\s+)?{section}\b", prose, flags=re.MULTILINE | re.IGNORECASE):
            yield f"has no section “{section}”; add the heading."


def source_of(cell: dict[str, Any]) -> str:
    """A cell's source: stored as one text or as a list of lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def text_of(output: dict[str, Any]) -> str:
    """All text of an output; pictures are left out: base64 may spell anything."""
    parts: list[Any] = [output.get("text", ""), output.get("traceback", "")]
    parts += [data for kind, data in output.get("data", {}).items() if not kind.startswith("image/")]
    parts += [json.dumps(output.get("metadata", {}), ensure_ascii=False)]
    return "\n".join("".join(part) if isinstance(part, list) else str(part) for part in parts)
