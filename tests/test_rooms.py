"""Each file knows its room: an import goes only to a room lower in the house."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lessons"

# From the ground up. Files of one line may import each other only where they are the same room (a package).
FLOORS = [
    ["errors", "palette"],
    ["files", "machine", "processes"],
    ["voc_layout"],
    ["downloads", "boxes", "masks"],
    ["data"],
    ["resizing"],
    ["backbones"],
    ["detector"],
    ["solo", "mask_rcnn"],
    ["point_rend"],
    ["training"],
    ["evaluation"],
    ["checkpoints", "registry"],
    ["configs"],
    ["zoo"],
    ["plots"],
    ["notebook"],
    ["explorers", "exercises"],
    ["doctor", "runner"],
    ["commands"],
    ["__main__"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms of `lessons` that a file imports, also inside functions."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: import by the full name, lessons.…"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "lessons" and len(part) > 1 and part[1] in FLOOR_OF}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path):
    room = room_of(path)
    assert room in FLOOR_OF, f"{room} has no floor yet: add it to FLOORS"
    for other in imported_rooms(path) - {room}:
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} may not import {other}"


def test_the_rule_can_fail(tmp_path: Path):
    upside_down = tmp_path / "boxes.py"
    upside_down.write_text("def area():\n    from lessons.data import voc\n")
    assert imported_rooms(upside_down) == {"data"}
