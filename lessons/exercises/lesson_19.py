"""Checkers of lesson 19: a name by rules, red first, what does not fit, what a pickle asks for."""

import collections
import pickle
import pickletools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lessons.checkpoints.translation import Layout
from lessons.errors import LessonsError

RULES = [
    (r"head\.fc(?P<number>\d)\.(?P<end>weight|bias)", "box_head.fc{number}.{end}"),
    (r"head\.(?P<rest>.+)", "head_of_boxes.{rest}"),
    (r"body\.(?P<stage>\d)\.conv\.weight", "res{stage}.conv.weight"),
]


def check_their_name(answer: Callable[[str, list[tuple[str, str]]], str | None]) -> None:
    """`their_name(name, rules)`: the first rule that fits counts, the whole name must fit, or None."""
    layout = Layout("an example", tuple(RULES))
    known, unknown = ("head.fc2.bias", "head.score.weight"), ("body.3.conv.weight_g", "x.body.3.conv.weight")
    for name in (*known, "body.3.conv.weight", *unknown):
        try:
            expected = layout.their_name(name)
        except LessonsError:
            expected = None
        given = answer(name, list(RULES))
        assert given == expected, (
            f"{name} is called {expected!r}, not {given!r}: the first rule counts whose pattern fits the "
            "whole name; where none does, None."
        )


def check_red_first(answer: Callable[[Tensor], Tensor]) -> None:
    """`red_first(weight)`: the maps of pictures with red first are those of the same with blue first."""
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    kept = weight.clone()
    given = answer(weight)
    assert torch.equal(weight, kept), "the file's array is changed: give a new one."
    assert given.shape == weight.shape, f"the shape stays (4, 3, 3, 3), not {tuple(given.shape)}."
    assert torch.equal(given, weight[:, [2, 1, 0]]), (
        "the maps differ: the inputs, blue, green and red, change places, and nothing else."
    )


def check_misfits(
    answer: Callable[[dict[str, Tensor], dict[str, Tensor]], tuple[list[str], list[str], list[str]]],
) -> None:
    """`misfits(entries, model)`: faults of all three kinds, and none at all."""
    model = {name: torch.zeros(shape) for name, shape in (("a", (2, 3)), ("b", (4,)), ("c", ()), ("d", (1,)))}
    cases: list[tuple[dict[str, Tensor], tuple[list[str], list[str], list[str]]]] = [
        (model, ([], [], [])),
        (
            {"e": torch.zeros(1), "b": torch.zeros(5), "a": torch.zeros(3, 2), "c": torch.zeros(())},
            (["d"], ["e"], ["a", "b"]),
        ),
        ({name: torch.ones(model[name].shape) for name in "abc"} | {"d": torch.zeros(1, 1)}, ([], [], ["d"])),
    ]
    for entries, expected in cases:
        given = tuple(list(names) for names in answer(dict(entries), dict(model)))
        assert given == expected, (
            f"missing, extra and misshapen are {expected}, not {given}: missing is in the model only, extra "
            "in the file only, and a shape is compared where both have the name; each list sorted."
        )


def check_asked_for(answer: Callable[[bytes], list[str]]) -> None:
    """`asked_for(data)`: plain data, an honest array, and a trap, which must not spring."""
    array = collections.OrderedDict(a=np.zeros(2, dtype=np.float32), b=np.ones(3))
    for content in ([1, {"cnumpy\nload\n": "c"}], array, {"model": Trap()}):
        data = pickle.dumps(content, protocol=2)
        operations = [(code.name, argument) for code, argument, _ in pickletools.genops(data)]
        expected = sorted({str(words).replace(" ", ".") for code, words in operations if code == "GLOBAL"})
        SPRUNG.clear()
        given = list(answer(data))
        assert not SPRUNG, "the pickle was run: read its instructions without loading it."
        assert given == expected, (
            f"it asks for {expected}, not {given}: each GLOBAL instruction names a module and a name, with a "
            "space between; each once, sorted."
        )


SPRUNG: list[str] = []


class Trap:
    """Does something when it is unpickled: it leaves a note."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return spring, ("sprung",)


def spring(note: str) -> None:
    """What a trap calls."""
    SPRUNG.append(note)
