"""What lessons lean on: checks that fail on every wrong answer, sources that are the live ones, one setup."""

import random
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lessons.notebook.source as source_module
from lessons.errors import LessonsError
from lessons.notebook import check, choose_device, read_source, setup, show_source, without_docstrings


def fails(checker, *values, **options) -> str:
    with pytest.raises(AssertionError) as caught:
        checker("areas", *values, **options)
    message = str(caught.value)
    assert message.startswith("✗ areas") and "\n" not in message
    return message


def test_close_prints_one_line_and_names_the_ways(capsys):
    ones = torch.ones(3)
    check.close("areas", ones, [1.0, 1, 1], np.ones(3, np.float64))
    assert capsys.readouterr().out == "✓ areas: by hand == lessons == reference (max difference 0)\n"
    check.close("areas", voc=ones, tool_box=ones + 3e-7)
    assert capsys.readouterr().out == "✓ areas: voc == tool box (max difference below 1e-6)\n"
    check.close("areas", torch.zeros(0, 4), torch.zeros(0, 4))
    assert "empty, 0×4" in capsys.readouterr().out


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_close_fails_on_one_wrong_element(rows, columns, data):
    first = torch.arange(rows * columns, dtype=torch.float32).reshape(rows, columns)
    wrong = first.clone()
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    wrong[row, column] += 0.01
    assert f"[{row}, {column}]" in fails(check.close, first, wrong)
    fails(check.close, wrong, first)
    fails(check.same, first, wrong)
    fails(check.close, first, first, wrong)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_are_close_to_no_number(bad):
    fails(check.close, torch.tensor([1.0, bad]), torch.tensor([1.0, 1.0]))
    fails(check.close, torch.tensor([1.0, 1.0]), torch.tensor([1.0, bad]))
    fails(check.same, torch.tensor([1.0, 1.0]), torch.tensor([1.0, bad]))


def test_nan_equals_nan_only_when_asked():
    nan = torch.tensor([float("nan")])
    fails(check.close, nan, nan)
    fails(check.same, nan, nan)
    check.close("areas", nan, nan, equal_nan=True)
    check.close("areas", torch.tensor(float("inf")), torch.tensor(float("inf")))
    fails(check.close, torch.tensor(float("inf")), torch.tensor(-float("inf")))


def test_shapes_never_broadcast():
    assert "3×1" in fails(check.close, torch.ones(3), torch.ones(3, 1))
    fails(check.close, torch.ones(3), torch.tensor(1.0))
    fails(check.close, torch.zeros(0), torch.ones(1))
    fails(check.close, torch.zeros(0, 4), torch.zeros(0, 5))


def test_kinds_of_numbers_are_compared():
    assert "float32 and lessons is int64" in fails(
        check.close, torch.ones(2), torch.ones(2, dtype=torch.int64)
    )
    fails(check.close, torch.ones(2, dtype=torch.bool), torch.ones(2))
    fails(check.close, [True, True], torch.ones(2))
    fails(check.same, torch.ones(2), torch.ones(2, dtype=torch.float64))
    check.close("areas", torch.ones(2), torch.ones(2, dtype=torch.float64))
    check.same("areas", [1, 2], torch.tensor([1, 2]))


def test_large_integers_differ_by_one():
    big = torch.tensor([2**60])
    fails(check.same, big, big + 1)
    check.same("areas", big, big.clone())


def test_same_opens_dicts_and_lists():
    target = {"boxes": torch.ones(2, 4), "ids": ["a", "b"], "n": 3}
    check.same("areas", target, {"boxes": torch.ones(2, 4), "ids": ["a", "b"], "n": 3})
    assert "areas['ids'][1]" in fails(check.same, target, target | {"ids": ["a", "c"]})
    fails(check.same, target, target | {"boxes": torch.zeros(2, 4)})
    fails(check.same, target, target | {"more": 1})
    fails(check.same, [1, 2], [1, 2, 3])
    fails(check.same, 1, True)
    fails(check.same, "x", 1)


def test_a_check_of_one_value_is_refused():
    with pytest.raises(TypeError, match="two values"):
        check.close("areas", torch.ones(1))


def test_shape(capsys):
    check.shape("areas", torch.ones(2, 3), (2, 3))
    assert capsys.readouterr().out == "✓ areas has shape 2×3\n"
    assert "2×3" in fails(check.shape, torch.ones(2, 3), (3, 2))
    fails(check.shape, torch.ones(2, 3), (2,))
    fails(check.shape, [1, 2], (2,))


def test_true():
    check.true("areas", torch.tensor([True, True]))
    check.true("areas", True)
    assert "1 of 3" in fails(check.true, torch.tensor([True, False, True]))
    for wrong in (False, torch.tensor([]).bool(), 1, torch.ones(2), None, "yes"):
        fails(check.true, wrong)


def test_setup_seeds_everything(capsys):
    def draw():
        return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002

    assert setup(seed=3).seed == 3
    first = draw()
    setup(seed=3)
    assert draw() == first
    setup(seed=4)
    assert draw() != first
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 and lines[0].startswith("Python 3.") and "torch " in lines[0]
    assert lines[1].startswith("device ") and lines[2].startswith("seed 3 · ")


def test_setup_sets_threads():
    before = torch.get_num_threads()
    setup(threads=1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_device_can_be_named(monkeypatch):
    monkeypatch.setenv("LESSONS_DEVICE", "cpu")
    assert choose_device() == torch.device("cpu")
    monkeypatch.setenv("LESSONS_DEVICE", "toaster")
    with pytest.raises(LessonsError, match="LESSONS_DEVICE=toaster"):
        choose_device()


def test_source_is_the_live_one_with_its_place():
    code, place = read_source(check.shape)
    assert code.startswith("def shape(")
    path, line = place.split(":")
    with open(source_module.REPOSITORY / path) as file:
        assert file.read().splitlines()[int(line) - 1].startswith("def shape(")
    assert read_source(torch.nn.Conv2d)[1].startswith("torch/nn/")
    assert read_source(setup(0))[0].lstrip("@").startswith("dataclass")  # an instance: its class
    for item in (check.shape, torch.nn.Linear, torch.nn.Linear.forward, re.compile, check):
        assert not read_source(item)[1].startswith("/")


def test_what_has_no_source_is_named():
    with pytest.raises(LessonsError, match="len has no Python source"):
        read_source(len)


def test_docstrings_go_and_all_else_stays():
    code = (
        'class A:\n    """Doc."""\n\n    x = "a"  # why\n\n    def f(self):\n'
        '        """One\n\n        two."""\n        return """s"""\n'
    )
    assert without_docstrings(code).split("\n") == [
        "class A:", '    x = "a"  # why', "", "    def f(self):", '        return """s"""',
    ]  # fmt: skip
    only = 'def f():\n    """Doc."""'
    assert without_docstrings(only) == only


def test_show_source_displays_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr(source_module, "display", lambda data, **options: shown.append(data["text/markdown"]))
    show_source(check.true)
    show_source(check.true, docstring=True)
    assert re.match(r"`lessons/notebook/checks\.py:\d+`\n\n```python\ndef true\(", shown[0])
    assert '"""' not in shown[0] and '"""Check a statement' in shown[1]
