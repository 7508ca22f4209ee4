"""Which cells of a lesson show an explorer, and which cells those need: found in the lesson's own text."""

import ast
import functools
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@functools.cache
def read(path: Path) -> NotebookNode:
    """A lesson; not to be changed, for it is read once."""
    return nbformat.read(path, 4)


@dataclass(frozen=True)
class Explorer:
    """An explorer in a lesson: the name that it has there, and the cell whose last line shows it."""

    name: str
    cell_id: str


def lessons_with_explorers() -> list[Path]:
    """The lessons that move an explorer's controls, in order. No list of names: a new lesson is found."""
    return [path for path in LESSONS if any(moved(cell) for cell in code_cells(read(path)))]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def moved(cell: NotebookNode) -> list[str]:
    """Names x of the cell's calls `x.move_all()`: every explorer of the course has one."""
    calls = (node.func for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
    found = (call for call in calls if isinstance(call, ast.Attribute) and call.attr == "move_all")
    return [call.value.id for call in found if isinstance(call.value, ast.Name)]


def find_explorers(notebook: NotebookNode) -> list[Explorer]:
    """Every explorer whose controls a cell moves, with the last cell before that one that shows it."""
    found, cells = [], code_cells(notebook)
    for place, cell in enumerate(cells):
        for name in moved(cell):
            shown = [earlier for earlier in cells[:place] if last_name(earlier) == name]
            assert shown, f"{name}.move_all() is called, but no cell before ends with the line `{name}`"
            found.append(Explorer(name, shown[-1].id))
    return found


def last_name(cell: NotebookNode) -> str | None:
    """The name that is all of the cell's last line: what the cell displays."""
    lines = ast.parse(cell.source).body
    if lines and isinstance(lines[-1], ast.Expr) and isinstance(lines[-1].value, ast.Name):
        return lines[-1].value.id
    return None


def reduced(notebook: NotebookNode) -> NotebookNode:
    """A copy of the cells that show explorers and of those that make what they use; nothing else."""
    cells = code_cells(notebook)
    shown = {explorer.cell_id for explorer in find_explorers(notebook)}
    kept, wanted = set(), set()
    for cell in reversed(cells):
        made, used = names(cell.source)
        if cell.id in shown or made & wanted:
            kept.add(cell.id)
            wanted = (wanted - made) | used
    copy = nbformat.from_dict(notebook)
    copy.cells = [cell for cell in copy.cells if cell.id in kept]
    return copy


def names(source: str) -> tuple[set[str], set[str]]:
    """Names that a cell makes or fills (`x = …`, `import x`, `def x`, `x.a = …`), and those that it reads."""
    table = symtable.symtable(source, "cell", "exec")
    made = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    used = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    for scope in scopes_below(table):
        used |= {s.get_name() for s in scope.get_symbols() if s.is_global()}
    return made | set(filled(ast.parse(source))), used


def scopes_below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from scopes_below(child)


def filled(tree: ast.AST) -> Iterator[str]:
    """x of every `x.a = …` and `x[0] = …`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            while isinstance(node, ast.Attribute | ast.Subscript):
                node = node.value
            if isinstance(node, ast.Name):
                yield node.id
