"""Frozen dataclasses from tables of a TOML file: types are checked, unknown keys refused with a suggestion."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spaceland.errors import TrainingError

T = TypeVar("T")


def from_table(kind: type[T], table: object, where: str) -> T:
    """A dataclass from a table; `where` begins every complaint.

    >>> from_table(complex, {}, "x")
    Traceback (most recent call last):
    TypeError: complex is no dataclass

    Raises:
        TrainingError: an unknown or missing key, or a value of another type.
    """
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is no dataclass")
    if not isinstance(table, Mapping):
        raise TrainingError(f"{where} should be a table, found {_shown(table)}")
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in table:
        if name not in fields:
            raise TrainingError(f"{where} has no key '{name}'; {_suggestion(str(name), list(fields))}")
    missing = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING and name not in table
    ]
    if missing:
        raise TrainingError(f"{where} lacks {', '.join(missing)}; add it")
    values: dict[str, Any] = {name: convert(hints[name], value, f"{where}.{name}") for name, value in table.items()}
    make: Any = kind
    return make(**values)


def convert(hint: Any, value: object, where: str) -> Any:
    """A value as a type hint wants it; lists become tuples, whole numbers become fractions where those are wanted."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return convert(next(a for a in arguments if a is not type(None)), value, where)
    if origin is Literal:
        if value not in arguments:
            raise TrainingError(f"{where} is {_shown(value)}; {_suggestion(str(value), [str(a) for a in arguments])}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TrainingError(f"{where} should be a list, found {_shown(value)}")
        return tuple(convert(arguments[0], item, f"{where}[{k}]") for k, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise TrainingError(f"{where} should be a table, found {_shown(value)}")
        return {str(name): convert(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_table(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TrainingError(f"{where} should be {_NAMES.get(hint, hint.__name__)}, found {_shown(value)}")
    return value


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _shown(value: object) -> str:
    return repr(value)[:80]


def _suggestion(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"


def to_table(value: Any) -> Any:
    """The reverse: plain tables, lists and values, as JSON can hold them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_table(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_table(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_table(item) for item in value]
    return value


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """What differs between two tables, one line each: "stages[0].lr: 1e-05 became 2e-05"."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(name for name in new if name not in old)]
        return [
            line
            for name in names
            for line in differences(
                old.get(name, "nothing"), new.get(name, "nothing"), f"{where}.{name}" if where else name
            )
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        parts = [differences(a, b, f"{where}[{k}]") for k, (a, b) in enumerate(zip(old, new, strict=True))]
        return [line for part in parts for line in part]
    return [] if old == new else [f"{where}: {_shown(old)} became {_shown(new)}"]
