"""Checks of the lessons: each prints one line when the answer is right and raises when it is not.

`from lessons.notebook import check` gives this module, so that a lesson writes `check.close(...)`. A check
never passes because of what it does not look at: every element counts, shapes and kinds of numbers must be
equal before values are compared, NaN equals nothing, and an empty tensor says so in the line.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

WAYS = ("by hand", "lessons", "reference")
RESERVED = "name"


def close(
    name: str,
    *values: Any,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    equal_nan: bool = False,
    **ways: Any,
) -> None:
    """Check that two or more ways to numbers agree: |value − first| <= atol + rtol · |first| everywhere.

    `check.close("box areas", mine, boxes.area(b))` compares "by hand" with "lessons", a third value is the
    "reference"; keyword arguments give other names: `check.close("areas", voc=a, torchvision=b)`.

    Args:
        values, ways: tensors, arrays, numbers or lists of numbers; all are compared with the first.
        equal_nan: NaN in the same place counts as equal.

    Raises:
        AssertionError: anything differs; one sentence says what and where.
    """
    named = name_values(values, ways)
    (first_name, first), *others = [(way, to_tensor(name, way, value)) for way, value in named]
    greatest = 0.0
    for way, value in others:
        require_same_form(name, first_name, first, way, value, exact=False)
        greatest = max(greatest, compare(name, first_name, first, way, value, atol, rtol, equal_nan))
    passed(name, [way for way, _ in named], f"{size_note(first)}max difference {bound(greatest)}")


def same(name: str, *values: Any, **ways: Any) -> None:
    """Check that two or more values are exactly equal.

    Numbers, texts, tensors (dtype too), and lists and dicts of them.

    Raises:
        AssertionError: anything differs; one sentence says what and where.
    """
    named = name_values(values, ways)
    (first_name, first), *others = named
    for way, value in others:
        require_equal(name, first_name, first, way, value)
    note = size_note(torch.as_tensor(first)) if isinstance(first, torch.Tensor | np.ndarray) else ""
    passed(name, [way for way, _ in named], note + "exactly")


def shape(name: str, tensor: Any, expected: Sequence[int]) -> None:
    """Check the shape of a tensor or array: `check.shape("p2", features["p2"], (2, 256, 200, 336))`.

    Raises:
        AssertionError: the shape is another one.
    """
    if not hasattr(tensor, "shape"):
        raise AssertionError(
            f"✗ {name}: {type(tensor).__name__} has no shape; a tensor or an array is asked for."
        )
    got, wanted = tuple(tensor.shape), tuple(expected)
    if got != wanted:
        raise AssertionError(f"✗ {name}: the shape is {times(got)}, and {times(wanted)} was expected.")
    print(f"✓ {name} has shape {times(got)}")


def true(name: str, condition: Any) -> None:
    """Check a statement: a bool, or a tensor of bools of which every one must be true.

    Raises:
        AssertionError: it is false, anywhere; or it is no bool; or it is empty, which would prove nothing.
    """
    flags = np.asarray(condition.detach().cpu() if isinstance(condition, torch.Tensor) else condition)
    if flags.dtype != bool:
        raise AssertionError(f"✗ {name}: the condition is {type(condition).__name__}, not true or false.")
    if not flags.size:
        raise AssertionError(f"✗ {name}: the condition is empty, so that nothing was checked.")
    if not flags.all():
        count = f" in {int((~flags).sum())} of {flags.size} elements" if flags.size > 1 else ""
        raise AssertionError(f"✗ {name}: this is false{count}.")
    print(f"✓ {name}")


# --- the small parts ---------------------------------------------------------------------------------------


def name_values(values: Sequence[Any], ways: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Every value with the name of the way it was found."""
    if len(values) + len(ways) < 2:
        raise TypeError("a check compares: give at least two values.")
    names = [WAYS[i] if i < len(WAYS) else f"value {i + 1}" for i in range(len(values))]
    return list(zip(names, values, strict=True)) + [
        (way.replace("_", " "), value) for way, value in ways.items()
    ]


def to_tensor(name: str, way: str, value: Any) -> torch.Tensor:
    """A tensor on the CPU; lists and numbers keep that they have no dtype of their own (`loose`)."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
    else:
        try:
            tensor = torch.as_tensor(np.asarray(value))
        except (TypeError, ValueError):
            message = f"✗ {name}: {way} is a {type(value).__name__} that cannot be read as numbers."
            raise AssertionError(message) from None
    tensor = tensor.resolve_conj()
    tensor.loose = not isinstance(value, torch.Tensor | np.ndarray | np.generic)
    return tensor


def require_same_form(
    name: str, first_name: str, first: torch.Tensor, way: str, value: torch.Tensor, exact: bool
) -> None:
    """Shapes must be equal; so must the kind of numbers (bool, integer, float); with `exact` the dtype."""
    if first.shape != value.shape:
        raise AssertionError(
            f"✗ {name}: {first_name} has shape {times(first.shape)}, {way} {times(value.shape)}."
        )
    if getattr(first, "loose", False) or getattr(value, "loose", False):
        # A list of Python numbers may stand for any kind of numbers, but bools are never numbers.
        differs = (first.dtype == torch.bool) != (value.dtype == torch.bool) and first.numel() > 0
    else:
        differs = first.dtype != value.dtype if exact else kind(first) != kind(value)
    if differs:
        raise AssertionError(f"✗ {name}: {first_name} is {dtype(first)} and {way} is {dtype(value)}.")


def compare(
    name: str, first_name: str, first: torch.Tensor, way: str, value: torch.Tensor,
    atol: float, rtol: float, equal_nan: bool,
) -> float:  # fmt: skip
    """The greatest difference of two tensors of one shape, or an AssertionError naming the worst element."""
    a, b = wide(first), wide(value)
    # isclose is true only where it is sure; NaN, and infinity beside a number, are not close.
    good = torch.isclose(b, a, atol=atol, rtol=rtol, equal_nan=equal_nan)
    difference = torch.where(a == b, torch.zeros_like(a.abs()), (a - b).abs())
    if bool(good.all()):
        finite = difference[~difference.isnan()]
        return float(finite.max()) if finite.numel() else 0.0
    wrong = torch.where(good, torch.full_like(difference, -1.0), difference.nan_to_num(nan=math.inf))
    at = np.unravel_index(int(wrong.argmax()), wrong.shape) if wrong.ndim else ()
    place = f" at [{', '.join(str(int(i)) for i in at)}]" if at else ""
    raise AssertionError(
        f"✗ {name}: {first_name} and {way} differ in {int((~good).sum())} of {good.numel()} elements, "
        f"most{place}: {first[at].item()} and {value[at].item()} (allowed: {atol:g} + {rtol:g} of the value)."
    )


def require_equal(name: str, first_name: str, first: Any, way: str, value: Any) -> None:
    """Exact equality, element by element, through dicts and lists."""
    if isinstance(first, Mapping) and isinstance(value, Mapping):
        if list(first) != list(value) and set(first) != set(value):
            raise AssertionError(
                f"✗ {name}: {first_name} has the keys {list(first)} and {way} {list(value)}."
            )
        for key in first:
            require_equal(f"{name}[{key!r}]", first_name, first[key], way, value[key])
    elif isinstance(first, list | tuple) and isinstance(value, list | tuple):
        if len(first) != len(value):
            raise AssertionError(
                f"✗ {name}: {first_name} has {len(first)} entries and {way} has {len(value)}."
            )
        for number, (one, other) in enumerate(zip(first, value, strict=True)):
            require_equal(f"{name}[{number}]", first_name, one, way, other)
    elif isinstance(first, torch.Tensor | np.ndarray) or isinstance(value, torch.Tensor | np.ndarray):
        a, b = to_tensor(name, first_name, first), to_tensor(name, way, value)
        require_same_form(name, first_name, a, way, b, exact=True)
        compare(name, first_name, a, way, b, 0.0, 0.0, False)
    elif not bool(first == value) or (type(first) is bool) != (type(value) is bool):
        raise AssertionError(f"✗ {name}: {first_name} is {first!r} and {way} is {value!r}.")


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Numbers in which no difference is lost: 64-bit integers stay, everything else becomes float64."""
    if tensor.dtype == torch.int64:
        return tensor.double() if bool((tensor.abs() < 2**53).all()) else tensor
    return tensor if tensor.is_complex() else tensor.double()


def kind(tensor: torch.Tensor) -> str:
    """ "bool", "float" or "integer"."""
    if tensor.dtype == torch.bool:
        return "bool"
    return "float" if tensor.is_floating_point() or tensor.is_complex() else "integer"


def dtype(tensor: torch.Tensor) -> str:
    """The dtype's name as a reader writes it."""
    return (
        "a list of bools"
        if getattr(tensor, "loose", False) and kind(tensor) == "bool"
        else str(tensor.dtype)[6:]
    )


def times(lengths: Sequence[int]) -> str:
    """ "2×256×200×336"; a scalar has no lengths."""
    return "×".join(str(int(length)) for length in lengths) or "of a single number"


def size_note(tensor: torch.Tensor) -> str:
    """An empty comparison says that it is one."""
    return f"empty, {times(tensor.shape)}; " if tensor.numel() == 0 else ""


def bound(difference: float) -> str:
    """The difference as a bound that is the same on every machine more often than its digits are."""
    return "0" if difference == 0 else f"below 1e{math.floor(math.log10(difference)) + 1:d}"


def passed(name: str, ways: Sequence[str], note: str) -> None:
    """The one line of a passed check."""
    print(f"✓ {name}: {' == '.join(ways)} ({note})")
