"""Run the lessons from a clean kernel and write them back; check the files without running anything.

What is written is small, the same on the next run, and what GitHub can draw: execution counts 1..n, no widget
state, no progress bars, no error, no warning.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from tqdm.auto import tqdm

from lessons.errors import LessonsError
from lessons.files import REPOSITORY, write_atomically
from lessons.runner.hygiene import hygiene, missing_from_readme
from lessons.runner.questions import out_of_date

NOTEBOOKS = REPOSITORY / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_SECONDS = 300  # the longest that one cell may take
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}


def find_notebooks(names: Iterable[str] | None = None, folder: Path = NOTEBOOKS) -> list[Path]:
    """The lessons in order, then the solutions; with `names`, those whose name begins with one of them.

    A name may be a number ("01"), a whole name, or a path; "solutions/01" names a solution alone.

    Raises:
        LessonsError: a name fits no notebook.
    """
    every = sorted(folder.glob("[0-9]*.ipynb")) + sorted((folder / "solutions").glob("[0-9]*.ipynb"))
    if not names:
        return every
    wanted = [name.removesuffix(".ipynb").removeprefix("notebooks/") for name in names]
    chosen = []
    for name in wanted:
        parent, _, stem = name.rpartition("/")
        fits = [
            p for p in every if p.stem.startswith(stem) and (not parent or p.parent.name == Path(parent).name)
        ]
        if not fits:
            raise LessonsError(f"no notebook begins with {name}: look into {folder.name}/ for the names.")
        chosen += fits
    return [path for path in every if path in chosen]


def run_lessons(
    names: Sequence[str] | None = None, progress: bool = True, folder: Path = NOTEBOOKS
) -> list[Path]:
    """Run notebooks in order, each from a clean kernel, and write each back when it has run to its end.

    A notebook that fails stays as it was; those before it are written already.

    Args:
        names: see `find_notebooks`; None runs all.
        progress: show a bar.

    Returns:
        The files written.

    Raises:
        LessonsError: a cell raised or wrote to stderr; the sentence names the notebook and the cell.
    """
    paths = find_notebooks(names, folder)
    bar = tqdm(paths, disable=not progress, unit="notebook")
    for path in bar:
        bar.set_postfix_str(path.stem)
        notebook = execute(path)
        write_atomically(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode("utf-8"))
    return paths


def check_lessons(names: Sequence[str] | None = None, folder: Path = NOTEBOOKS) -> list[str]:
    """What is wrong with the notebook files, one sentence each; nothing is run. Empty: all is well."""
    found = find_notebooks(names, folder)
    problems = [problem for path in found for problem in hygiene(path)]
    lessons = [path for path in found if path.parent.name != "solutions"]
    problems += missing_from_readme(lessons, folder.parent)
    return problems if names else problems + out_of_date(lessons, folder.parent)


def execute(path: Path) -> NotebookNode:
    """Run one notebook in a new kernel, in its folder, and give it cleaned.

    Raises:
        LessonsError: a cell raised, wrote to stderr or took too long; the kernel did not start.
    """
    notebook = nbformat.read(path, as_version=4)
    forget(notebook)
    # Solutions run where the lessons run, so that relative paths mean the same.
    where = path.parent.parent if path.parent.name == "solutions" else path.parent
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", store_widget_state=False,
        record_timing=False, resources={"metadata": {"path": str(where)}},
    )  # fmt: skip
    try:
        client.execute(env=kernel_environment())
    except CellExecutionError as error:
        cell, number = failing_cell(notebook)
        raise LessonsError(
            f"{path.name}: cell {number} ({cell}) raised {error.ename}: {error.evalue}"
        ) from error
    except (TimeoutError, RuntimeError) as error:  # nbclient's words: a cell's time, or the kernel's start
        reason = str(error).strip().splitlines() or ["the kernel did not answer in time"]
        raise LessonsError(
            f"{path.name}: {reason[0].rstrip('.')}: run it again when the machine is not busy."
        ) from error
    tidy(notebook)
    complaints = [
        f"{path.name}: cell {number} ({first_line(cell)}) wrote to stderr: {text.strip()}"
        for number, cell in enumerate(notebook.cells)
        for text in stderr_of(cell)
    ]
    if complaints:
        raise LessonsError("\n".join(complaints))
    return notebook


def kernel_environment() -> dict[str, str]:
    """The kernel's environment: this package importable, no progress bars, threads that do not spin."""
    path = os.pathsep.join(part for part in (str(REPOSITORY), os.environ.get("PYTHONPATH")) if part)
    return {**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # fmt: skip


def forget(notebook: NotebookNode) -> None:
    """Take all outputs and counts away, so that nothing of an earlier run can stay."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Leave of an executed notebook only what is worth storing (see the head of this file), in place."""
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNELSPEC), language_info=NotebookNode(LANGUAGE)
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        cell.id = f"cell-{number:03d}" if not cell.get("id") else cell.id
        if cell.cell_type != "code":
            continue
        cell.outputs = [kept for kept in map(tidy_output, join_streams(cell.outputs)) if kept is not None]
        ran = cell.source.strip() != ""
        count += ran
        cell.execution_count = count if ran else None
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
    return notebook


def tidy_output(output: NotebookNode) -> NotebookNode | None:
    """An output without its widget view; None for one that was nothing else (a progress bar, say)."""
    if output.output_type not in ("display_data", "execute_result"):
        return output
    had_widget = output.data.pop(WIDGET_VIEW, None) is not None
    if had_widget and set(output.data) <= {"text/plain"}:
        return None
    output.metadata.pop(WIDGET_VIEW, None)
    return output


def join_streams(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream as one: how the kernel cuts them changes from run to run."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        both = last is not None and last.output_type == output.output_type == "stream"
        if both and last.name == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def stderr_of(cell: NotebookNode) -> list[str]:
    """What a cell wrote to stderr."""
    outputs = cell.get("outputs", [])
    return [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]


def failing_cell(notebook: NotebookNode) -> tuple[str, int]:
    """(first line, number) of the cell that holds an error."""
    for number, cell in enumerate(notebook.cells):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return first_line(cell), number
    return "unknown", -1


def first_line(cell: NotebookNode) -> str:
    """The first line of a cell's source."""
    return next(iter(cell.source.strip().splitlines()), "empty")
