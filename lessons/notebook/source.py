"""`show_source`: the source of a live object, as it runs in this kernel."""

import ast
import inspect
import textwrap
from functools import cached_property
from pathlib import Path
from typing import Any

from IPython.display import display

from lessons.errors import LessonsError
from lessons.files import REPOSITORY


def show_source(item: Any, *, docstring: bool = False) -> None:
    """Show the source of a function, method, class or module as it is in this kernel, with its file and line.

    Args:
        item: the object; of an instance, its class is shown.
        docstring: leave the docstrings in.

    Raises:
        LessonsError: the object has no Python source (it is built in, or written in C).
    """
    code, place = read_source(item)
    code = code if docstring else without_docstrings(code)
    display({"text/markdown": f"`{place}`\n\n```python\n{code.rstrip()}\n```", "text/plain": code}, raw=True)


def read_source(item: Any) -> tuple[str, str]:
    """(source, "file:line") of an object; relative to the repository, or to its own package outside it."""
    item = item.fget if isinstance(item, property) else item
    item = item.func if isinstance(item, cached_property) else item
    item = inspect.unwrap(item) if callable(item) else item
    if not (inspect.isroutine(item) or inspect.isclass(item) or inspect.ismodule(item)):
        item = type(item)
    try:
        lines, first = inspect.getsourcelines(item)
        path = Path(inspect.getsourcefile(item) or "")
    except (OSError, TypeError):
        name = getattr(item, "__qualname__", repr(item))
        raise LessonsError(f"{name} has no Python source to show: it is built in or compiled.") from None
    if "ipykernel" in path.as_posix() or path.name.startswith("<"):
        place = "this notebook"
    elif path.resolve().is_relative_to(REPOSITORY) and "site-packages" not in path.parts:
        place = f"{path.resolve().relative_to(REPOSITORY).as_posix()}:{max(first, 1)}"
    else:
        # A library's file, without the folder of this machine it lies in.
        parts = (
            path.parts[path.parts.index("site-packages") + 1 :]
            if "site-packages" in path.parts
            else path.parts[-1:]
        )
        place = f"{'/'.join(parts)}:{max(first, 1)}"
    return textwrap.dedent("".join(lines)), place


def without_docstrings(code: str) -> str:
    """The code without the docstrings of its module, classes and functions; all else, comments too, stays."""
    tree, lines = ast.parse(code), code.splitlines()
    drop: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                continue  # a body of nothing else would be empty
            text = node.body[0]
            last = text.end_lineno or text.lineno
            drop.update(range(text.lineno, last + 1))
            # The blank lines that separated the docstring from the code go too.
            while last < len(lines) and not lines[last].strip():
                last += 1
                drop.add(last)
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in drop)
