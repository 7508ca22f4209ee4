"""Every exercise: the solution is right, the stub is not done yet, the plausible mistake is wrong."""

import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lessons.exercises import attempt
from lessons.files import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"


def tagged(path: Path, tag: str) -> list[str]:
    """The sources of the code cells with a tag."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell.source for cell in code if tag in cell.metadata.get("tags", [])]


def defined(source: str) -> str:
    """The name of the one function that a cell defines."""
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert len(names) == 1, f"a tagged cell defines one function, this one {names}"
    return names[0]


def function(path: Path, source: str) -> Callable[..., Any]:
    """The function of a cell, defined beside the notebook's imports."""
    space: dict[str, Any] = {"__name__": "exercise"}
    for cell in [*tagged(path, "imports"), source]:
        exec(compile(cell, path.name, "exec"), space)
    return space[defined(source)]


def cells(path: Path, tag: str) -> dict[str, str]:
    return {defined(source): source for source in tagged(path, tag)}


def exercises(folder: Path = NOTEBOOKS) -> list[tuple[Path, str]]:
    """(lesson, function) of every exercise."""
    return [(path, name) for path in sorted(folder.glob("[0-9]*.ipynb")) for name in cells(path, "exercise")]


def hold_together(lesson: Path, name: str, checker: Callable[..., None]) -> None:
    """Stub, solution and mistake of one exercise; AssertionError where they do not hold together."""
    solutions = lesson.parent / "solutions" / lesson.name
    assert solutions.is_file(), f"{lesson.name} has exercises and no solutions/{lesson.name}"
    right, wrong = cells(solutions, "solution"), cells(solutions, "wrong")
    assert name in right and name in wrong, (
        f"solutions/{lesson.name} lacks the solution or the mistake of {name}"
    )
    stub = function(lesson, cells(lesson, "exercise")[name])
    solution, mistake = function(solutions, right[name]), function(solutions, wrong[name])
    assert str(inspect.signature(stub)) == str(inspect.signature(solution)) == str(inspect.signature(mistake))
    assert attempt(checker, stub) is False, f"the stub of {name} passes as an answer"
    assert attempt(checker, solution) is True, f"the solution of {name} passes as not done"
    try:
        accepted = attempt(checker, mistake)
    except AssertionError as hint:
        assert len(str(hint)) > len(f"✗ {name}: "), f"{name}: the hint is empty"
        return
    raise AssertionError(f"the mistake of {name} is {'accepted' if accepted else 'taken for a stub'}")


@pytest.mark.parametrize("lesson, name", exercises(), ids=lambda value: getattr(value, "stem", value))
def test_exercise(lesson: Path, name: str):
    module = importlib.import_module(f"lessons.exercises.lesson_{lesson.name[:2]}")
    hold_together(lesson, name, getattr(module, f"check_{name}"))


# --- the machinery itself ----------------------------------------------------------------------------------


def check_double(answer: Callable[[int], int]) -> None:
    assert answer(3) == 6, "3 doubled is 6"


def write(path: Path, **by_tag: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [
        nbformat.v4.new_code_cell(source, metadata={"tags": [tag]})
        for tag, source in by_tag.items()
        if source
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


STUB = "def double(x: int) -> int:\n    raise NotImplementedError('double a number')"
RIGHT = "def double(x: int) -> int:\n    return operator.mul(x, 2)"
WRONG = "def double(x: int) -> int:\n    return x + 2"


def lesson_with(folder: Path, stub: str = STUB, right: str = RIGHT, wrong: str = WRONG) -> Path:
    write(folder / "01_a.ipynb", exercise=stub)
    write(folder / "solutions" / "01_a.ipynb", imports="import operator", solution=right, wrong=wrong)
    return folder / "01_a.ipynb"


def test_what_holds_together_passes(tmp_path):
    lesson = lesson_with(tmp_path)
    assert exercises(tmp_path) == [(lesson, "double")]
    hold_together(lesson, "double", check_double)


@pytest.mark.parametrize(
    "change",
    [
        {"stub": RIGHT.replace("operator.mul(x, 2)", "2 * x")},
        {"right": STUB},
        {"right": WRONG},
        {"wrong": RIGHT},
        {"wrong": STUB},
        {"wrong": WRONG.replace("x: int", "y: int").replace("x +", "y +")},
        {"wrong": ""},
        {"right": RIGHT.replace("double", "triple")},
    ],
    ids=lambda change: "-".join(f"{key}={value[17:45]!r}" for key, value in change.items()),
)
def test_what_does_not_hold_together_fails(tmp_path, change):
    lesson = lesson_with(tmp_path, **change)
    with pytest.raises(AssertionError):
        hold_together(lesson, "double", check_double)


def test_a_lesson_without_solutions_fails(tmp_path):
    write(tmp_path / "01_a.ipynb", exercise=STUB)
    with pytest.raises(AssertionError, match="no solutions/01_a"):
        hold_together(tmp_path / "01_a.ipynb", "double", check_double)


def test_attempt_says_one_line(capsys):
    def double(x):
        raise NotImplementedError("double a number")

    assert attempt(check_double, double) is False
    assert capsys.readouterr().out == "○ not done yet: double a number\n"
    assert attempt(check_double, lambda x: 2 * x) is True
    assert capsys.readouterr().out.startswith("✓ ")
    with pytest.raises(AssertionError, match="3 doubled is 6"):
        attempt(check_double, lambda x: x)


def test_other_errors_of_an_answer_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        attempt(check_double, lambda x: x // 0)
