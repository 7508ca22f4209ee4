"""How a dictionary of settings becomes an object: names for parts, and `build`.

    parts = Registry("part")

    @parts.register
    class Head: ...

    parts.build({"type": "Head", "channels": 64})     # Head(channels=64)

A dictionary inside the dictionary that has a `type` of its own is built first, so that the settings of a
whole model are one readable tree. There is nothing more to it: a name, a callable, keywords.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lessons.errors import LessonsError

Part = Callable[..., Any]
TYPE = "type"


class Registry:
    """Names for the callables of one kind, a class or a function each.

    Args:
        kind: what they are, for the sentences that say what went wrong: "part", "transform".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, Part] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}): {', '.join(self._parts)}"

    def names(self) -> list[str]:
        """All names, in the order in which they were registered."""
        return list(self._parts)

    def register(self, name: str | Part | None = None, part: Part | None = None) -> Any:
        """Give a callable a name, its own or another one; the callable is handed back.

        Three ways: `@parts.register`, `@parts.register("another name")`, `parts.register("name", part)`.

        Raises:
            LessonsError: the name is taken.
        """
        if callable(name):
            return self._add(name.__name__, name)
        if part is not None:
            return self._add(name or part.__name__, part)
        return lambda decorated: self._add(name or decorated.__name__, decorated)

    def get(self, name: str) -> Part:
        """The callable of that name.

        Raises:
            LessonsError: there is none; the nearest name is proposed.
        """
        if name not in self.names():  # a list: also of what no dictionary could look up
            raise LessonsError(
                f"{self.kind} {name!r} is not known{nearest(name, self._parts)}: "
                f"choose one of {', '.join(self._parts) or 'none, nothing is registered'}."
            )
        return self._parts[name]

    def build(self, config: Mapping[str, Any], **defaults: Any) -> Any:
        """Call the part that `config["type"]` names with all other entries as keywords.

        Entries that have a `type` themselves, also in lists, are built first. `config` stays as it is.

        Args:
            defaults: keywords for what the config leaves out.

        Raises:
            LessonsError: no type, an unknown type, a keyword that the part does not take, or one that it
                needs and does not get.
        """
        if not isinstance(config, Mapping) or TYPE not in config:
            raise LessonsError(
                f"A {self.kind} needs a type, and {_shortened(config)} has none: "
                f'add type = "…", one of {", ".join(self._parts)}.'
            )
        part = self.get(config[TYPE])
        keywords = {name: self._built(value) for name, value in config.items() if name != TYPE}
        keywords = {**defaults, **keywords}
        check_keywords(config[TYPE], part, keywords)
        return part(**keywords)

    def _built(self, value: Any) -> Any:
        if isinstance(value, Mapping) and TYPE in value:
            return self.build(value)
        if isinstance(value, list | tuple):
            return [self._built(entry) for entry in value]
        return value

    def _add(self, name: str, part: Part) -> Part:
        if name in self._parts:
            raise LessonsError(f"{self.kind} {name!r} is registered already: give the second another name.")
        self._parts[name] = part
        return part


def check_keywords(name: str, part: Part, keywords: Mapping[str, Any]) -> None:
    """See that a callable takes these keywords, and gets all that it needs.

    Raises:
        LessonsError: it does not; the sentence names the keyword, and the nearest that it takes.
    """
    parameters = inspect.signature(part).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    unknown = [keyword for keyword in keywords if keyword not in parameters]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise LessonsError(
            f"{name} takes no {unknown[0]!r}{nearest(unknown[0], parameters)}: "
            f"it takes {', '.join(parameters) or 'nothing'}."
        )
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    missing = [
        keyword
        for keyword, parameter in parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in variadic and keyword not in keywords
    ]
    if missing:
        raise LessonsError(f"{name} needs {missing[0]!r}: add it to its settings.")


def nearest(name: object, known: Any) -> str:
    """ " (did you mean 'x'?)" for the known name that looks most like this one; "" if none does."""
    found = difflib.get_close_matches(str(name), [str(one) for one in known], n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
