"""Checkers of lesson 09: a tree of parts, merged configs, what differs in them, official names of weights."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from lessons import configs, zoo
from lessons.checkpoints.solo import official_names
from lessons.registry import Registry

Config = dict[str, Any]


def check_build_tree(answer: Callable[[Config, dict[str, Callable]], object]) -> None:
    """`build_tree(config, table)`: nested, in lists, plain lists and plain dicts; twice from one config."""
    parts = Registry("part")
    for name in ("leaf", "pair", "row"):
        parts.register(name, _teller(name))
    table = {name: parts.get(name) for name in parts.names()}
    leaf = {"type": "leaf", "size": 3}
    for config, hint in [
        (leaf, "call the part with all entries but the type"),
        ({"type": "pair", "left": leaf, "right": {"type": "leaf", "size": 0}}, "build inner parts first"),
        ({"type": "pair", "left": {"type": "pair", "left": leaf}, "right": 1}, "there are parts in parts"),
        ({"type": "leaf", "sizes": [4, 2], "names": {"a": 1}}, "a dict without a type is a plain value"),
        ({"type": "row", "entries": [leaf, 7, {"type": "pair", "left": leaf}]}, "look into lists, too"),
    ]:
        given = deepcopy(config)
        expected = parts.build(config)
        built = answer(given, dict(table))
        assert built == expected, f"{config} gives {built}, not {expected}: {hint}."
        assert given == config, f"{config} is {given} after it was built: leave the config as it was."


def check_merged(answer: Callable[[Config, Config], Config]) -> None:
    """`merged(base, changes)`: tables in tables, lists, a table for a value and the other way, nothing."""
    base = {"head": {"type": "A", "grids": [16, 10, 6], "norm": {"groups": 32, "eps": 1}}, "sigma": 0.2}
    for changes, hint in [
        ({}, "no changes, no difference"),
        ({"sigma": 0.5, "mask_weight": 3}, "values are replaced or added"),
        ({"head": {"classes": 1}}, "the other entries of a table stay"),
        ({"head": {"norm": {"groups": 8}}}, "tables lie in tables"),
        ({"head": {"grids": [40]}}, "a list is replaced, not joined"),
        ({"head": 0}, "a value can replace a table"),
        ({"sigma": {"start": 0.2}}, "a table can replace a value"),
    ]:
        first, second = deepcopy(base), deepcopy(changes)
        expected, given = configs.merge(base, changes), answer(first, second)
        assert given == expected, f"{base} changed by {changes} gives {expected}, not {given}: {hint}."
        assert (first, second) == (base, changes), f"{changes}: the inputs are to stay as they were."


def check_changed_entries(answer: Callable[[Config, Config], dict[str, tuple]]) -> None:
    """`changed_entries(before, after)`: changed, added, taken away, in tables, values that are false."""
    base = {"head": {"type": "A", "classes": 20}, "sigma": 0.2}
    for after, expected in [
        (base, {}),
        ({"head": {"type": "B", "classes": 20}, "sigma": 0.2}, {"head.type": ("A", "B")}),
        ({"head": {"type": "A", "classes": 20}}, {"sigma": (0.2, None)}),
        ({**base, "mask_weight": 3.0}, {"mask_weight": (None, 3.0)}),
        ({**base, "test": {"nms": {"sigma": 2}}}, {"test.nms.sigma": (None, 2)}),
        ({"head": {"type": "A", "classes": 0}, "sigma": False},
         {"head.classes": (20, 0), "sigma": (0.2, False)}),
    ]:  # fmt: skip
        given = answer(deepcopy(base), deepcopy(after))
        assert given == expected, f"{base} and {after} differ in {expected}, not {given}."


def check_their_name(answer: Callable[[str], str]) -> None:
    """`their_name(name)` for every weight of the pyramid and the head of a narrow SOLO."""
    narrow = ["model.backbone.width=8", "model.backbone.channels=8", "model.backbone.depth=18"]
    narrow += ["model.head.channels_in=8", "model.head.channels=8"]
    names = official_names(zoo.build(configs.change(configs.read("solo-r50"), narrow)))
    for name, expected in names.items():
        if name.startswith("backbone.body."):
            continue
        try:
            given = answer(name)
        except (KeyError, IndexError, ValueError) as error:
            raise AssertionError(f"{name} is called {expected} there, and you gave {error!r}.") from None
        assert given == expected, f"{name} is called {expected} there, not {given}."


def _teller(name: str) -> Callable[..., tuple]:
    """A part that is what it was called with."""
    return lambda **keywords: (name, sorted(keywords.items(), key=lambda entry: entry[0]))
