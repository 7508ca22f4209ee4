"""The settings of every model, one readable TOML file each, and what reads them.

    [model]           what is built, a tree of parts by their `type`
    [data]            what it learns from by default, and the names of its classes
    [[augmentation]]  the transforms of a training picture, in order
    [training]        the fields of `lessons.training.Recipe`
    [test]            the size of a picture and what counts as found
    [weights]         the file of trained weights, where it is published, and its licence
    [start]           weights that the backbone begins with, if any

A file may begin with `extends = "another"`: it then says only what is different. Tables are merged entry by
entry; everything else, lists too, is replaced.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from lessons.errors import DataError, LessonsError
from lessons.files import exists
from lessons.registry import nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Config = dict[str, Any]
FOLDER = Path(__file__).parent
SECTIONS = ("model", "data", "augmentation", "training", "test", "weights", "start")
EXTENDS = "extends"


def names() -> list[str]:
    """The configs that ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def path_of(name: str | Path) -> Path:
    """The file of a config: a name from `names`, or the path of a .toml file of your own.

    Raises:
        LessonsError: there is none; the nearest name is proposed.
    """
    if str(name).endswith(".toml"):
        path = Path(name).expanduser()
        if not exists(path):
            raise LessonsError(f"{path} does not exist: name a config file that does, or a model by name.")
        return path
    if str(name) not in names():
        raise LessonsError(
            f"{str(name)!r} is no model{nearest(name, names())}: choose one of {', '.join(names())}, "
            "or give the path of a .toml file."
        )
    return FOLDER / f"{name}.toml"


def read(name: str | Path) -> Config:
    """The settings of a model, with everything that its file extends.

    Raises:
        LessonsError: no such config. DataError: a file that is no such TOML.
    """
    return _read(path_of(name), ())


def change(config: Mapping[str, Any], settings: Iterable[str]) -> Config:
    """A copy with single entries replaced: `change(config, ["training.learning_rate=1e-3"])`.

    What is behind `=` is read as TOML, and as text where it is no TOML. A number counts the entries of a
    list: `augmentation.0.short=256`.

    Raises:
        LessonsError: not of that form, or the path leads nowhere.
    """
    changed = deepcopy(dict(config))
    for setting in settings:
        place, equals, text = setting.partition("=")
        if not equals or not place:
            raise LessonsError(f"{setting!r} sets nothing: write section.entry=value.")
        *way, last = place.strip().split(".")
        table: Any = changed
        for step in way:
            table = _entry(table, step, setting)
        if isinstance(table, list):
            _entry(table, last, setting)
            table[int(last)] = _value(text)
        elif isinstance(table, dict) and (way or last in SECTIONS):
            table[last] = _value(text)
        else:
            raise LessonsError(f"{setting!r} leads nowhere: the sections are {', '.join(SECTIONS)}.")
    return changed


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Config:
    """Both: tables entry by entry; of anything else the second's.

    A table of the second that says `extends = false` takes nothing from the first.
    """
    merged = dict(base)
    for name, value in changes.items():
        if isinstance(value, Mapping):
            own = value.get(EXTENDS) is False or not isinstance(merged.get(name), Mapping)
            value = {key: entry for key, entry in value.items() if key != EXTENDS}
            merged[name] = merge({} if own else merged[name], value)
        else:
            merged[name] = value
    return merged


def to_toml(config: Mapping[str, Any]) -> str:
    """The text of a config file with these settings: `read` gives them back."""
    lines: list[str] = []
    _write_table(config, "", lines)
    return "\n".join(lines).strip() + "\n"


def _read(path: Path, readers: tuple[Path, ...]) -> Config:
    """`readers`: the files that extend this one, to notice a circle."""
    if path in readers:
        raise DataError(f"{path} extends itself: take one `extends` away.")
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no TOML ({error}): mend it.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): change its permissions.") from None
    base = config.pop(EXTENDS, None)
    unknown = [name for name in config if name not in SECTIONS]
    if unknown:
        raise DataError(
            f"{path} has a section {unknown[0]!r}{nearest(unknown[0], SECTIONS)}: "
            f"the sections are {', '.join(SECTIONS)}."
        )
    return config if base is None else merge(_read(path_of(base), (*readers, path)), config)


def _entry(table: Any, step: str, setting: str) -> Any:
    known = [str(place) for place in range(len(table))] if isinstance(table, list) else table
    if not isinstance(table, dict | list) or step not in known:
        there = ", ".join(known) if isinstance(table, dict | list) else "a single value"
        raise LessonsError(f"{setting!r} leads nowhere, there is no {step!r}: there is {there}.")
    return table[int(step)] if isinstance(table, list) else table[step]


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _write_table(table: Mapping[str, Any], name: str, lines: list[str]) -> None:
    """First the plain entries, for what stands below a table's head belongs to it; then the tables in it."""
    inner = {key: value for key, value in table.items() if _is_tables(value)}
    lines += [
        f"{key} = {_inline(value)}" for key, value in table.items() if key not in inner and value is not None
    ]
    for key, value in inner.items():
        place = f"{name}.{key}" if name else key
        for one in [value] if isinstance(value, Mapping) else value:
            lines += ["", f"[{place}]" if isinstance(value, Mapping) else f"[[{place}]]"]
            _write_table(one, place, lines)


def _is_tables(value: Any) -> bool:
    several = isinstance(value, list | tuple) and len(value) > 0
    return isinstance(value, Mapping) or (several and all(isinstance(one, Mapping) for one in value))


def _inline(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(
        value, ensure_ascii=False
    )  # of text, numbers and truth values JSON and TOML write alike
