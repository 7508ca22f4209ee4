"""Explorers are found in the lessons' text, and the reduced copies hold what these need."""

import ast

import nbformat
import pytest
from lesson_cells import LESSONS, Explorer, code_cells, find_explorers, lessons_with_explorers, read, reduced


def a_notebook(*sources: str) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell(source, id=f"c{place}") for place, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A lesson"), *cells])


def kept(*sources: str) -> list[str]:
    return [cell.id for cell in reduced(a_notebook(*sources)).cells]


def makes_an_explorer(notebook: nbformat.NotebookNode) -> bool:
    """Whether a cell imports a maker of explorers from the package."""
    trees = (ast.parse(cell.source) for cell in code_cells(notebook))
    imports = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    names = [alias.name for node in imports if node.module == "lessons.explorers" for alias in node.names]
    return any(name == "explore" or name.endswith(("_explorer", "_browser")) for name in names)


def test_no_lesson_that_makes_an_explorer_is_missed():
    found = lessons_with_explorers()
    assert found == [path for path in LESSONS if makes_an_explorer(read(path))]
    assert len(found) >= 15


@pytest.mark.parametrize("path", lessons_with_explorers(), ids=lambda path: path.stem)
def test_a_reduced_lesson_is_the_lesson_s_own_text(path):
    notebook = read(path)
    whole = [(cell.id, cell.source) for cell in code_cells(notebook)]
    part = [(cell.id, cell.source) for cell in reduced(notebook).cells]
    assert part == [cell for cell in whole if cell in part]
    assert {explorer.cell_id for explorer in find_explorers(notebook)} <= {cell_id for cell_id, _ in part}
    assert len(part) < len(whole) == len(code_cells(notebook)), "the lesson itself stays as it was"


def test_every_explorer_of_a_lesson_is_found_where_it_is_shown():
    notebook = a_notebook(
        "a = f()", "a\n", "print(a.move_all())", "b = g()\nb", "assert b.move_all() > a.count(3)"
    )
    assert find_explorers(notebook) == [Explorer("a", "c1"), Explorer("b", "c3")]


def test_an_explorer_that_no_cell_shows_is_named():
    with pytest.raises(AssertionError, match=r"hidden\.move_all\(\) is called, but no cell"):
        find_explorers(a_notebook("hidden = f()", "hidden.move_all()"))


def test_cells_that_the_explorer_does_not_need_are_left_out():
    assert kept("import f, g", "other = g()", "x = f()\nx", "x.move_all()", "after = 1") == ["c0", "c2"]


def test_what_is_needed_by_what_is_needed_stays():
    function = "def f():\n    return [a for _ in range(2)]"
    assert kept("a = 1", function, "b = 1", "x = f()\nx", "x.move_all()") == ["c0", "c1", "c3"]


def test_a_name_of_a_function_s_own_is_not_needed():
    assert kept("a = 1", "def f():\n    a = 2\n    return a", "x = f()\nx", "x.move_all()") == ["c1", "c2"]


@pytest.mark.parametrize("filling", ["a[0] = 2", "a.b.c = 2", "a += 1", "for a in range(3): pass"])
def test_a_cell_that_changes_what_is_needed_stays(filling):
    assert kept("a = f()", filling, "x = g(a)\nx", "x.move_all()")[-2:] == ["c1", "c2"]


def test_what_is_made_anew_is_not_needed_before():
    assert kept("a = slow()", "a = 1", "x = g(a)\nx", "x.move_all()") == ["c1", "c2"]
