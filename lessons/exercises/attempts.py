"""`attempt`: run a checker on the reader's answer and say one line."""

from collections.abc import Callable
from typing import Any


def attempt(checker: Callable[[Callable[..., Any]], None], answer: Callable[..., Any]) -> bool:
    """Check an exercise: right, not done yet, or wrong.

    Args:
        checker: called with the answer; raises AssertionError with a hint where the answer is wrong.
        answer: the reader's function.

    Returns:
        True for a right answer; False for a stub that raises NotImplementedError, which is no failure: the
        notebook runs on.

    Raises:
        AssertionError: the answer is wrong; the message is the hint.
    """
    name = getattr(answer, "__name__", str(answer))
    try:
        checker(answer)
    except NotImplementedError as unfinished:
        print(f"○ not done yet: {unfinished or name}")
        return False
    except AssertionError as hint:
        raise AssertionError(f"✗ {name}: {hint or 'the answer is wrong'}") from None
    print(f"✓ {name}: right")
    return True
