"""What a model writes about boxes, read without ever evaluating it.

Two readers of literals: `python_literal` takes what Python itself would take (official scorers hand a line to `eval`:
single quotes and True are fine, true is not, an expression is not a literal); `values_in` finds every JSON or
Python value in a text, prose around it or not. Both are linear in the length of the text and refuse deep nesting.

>>> python_literal("{'frame': 3, 'bbox_3d': [0.1, -2, .5]}  # here")
{'frame': 3, 'bbox_3d': [0.1, -2, 0.5]}
>>> values_in('It is [1, 2], or rather {"frame": 3, "bbox_3d": [1, 2]}.')
[[1, 2], {'frame': 3, 'bbox_3d': [1, 2]}]
>>> object_ids("Yes. <OBJ012> and <OBJ004>."), bare_ids("Img_3 shows 12 and 4.")
([12, 4], [12, 4])
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
MAX_CHARS = 1_000_000
_MAX_DIGITS = 4300
"""Python refuses longer whole numbers, too."""
_MAX_ID_DIGITS = 9
_LARGEST = 1e9

_SPACE = re.compile(r"[ \t\r\n\f]*")
_COMMENT = re.compile(r"#[^\n]*")
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d[\d_]*)?", re.ASCII)
_STRING = re.compile(r'"([^"\\\n]*(?:\\.[^"\\\n]*)*)"|' + r"'([^'\\\n]*(?:\\.[^'\\\n]*)*)'")
_WORD = re.compile(r"[A-Za-z_]\w*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_PYTHON_WORDS = {"True": True, "False": False, "None": None}
_JSON_WORDS = {"true": True, "false": False, "null": None}
_OPENING = re.compile(r"[\[{]")

_OBJECT_ID = re.compile(r"<OBJ(\d{3})>")
_LOCATION = re.compile(r"<LOC(\d{3})>")
_PICTURE_NAMES = re.compile(r"Img_\d+|Image \d+")
# Only where a run of digits begins: a search from every digit would take quadratic time.
_NUMERALS = re.compile(r"(?<!\d)\d+\.")
_DIGITS = re.compile(r"\d+")

_PLAIN = r"[-+]?(?:\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})"
_S = r"\s{0,4}"
_PIXEL_FORM = re.compile(
    rf"Frame{_S}-?{_S}(\d{{1,5}}){_S},{_S}\({_S}({_PLAIN}){_S},{_S}({_PLAIN}){_S}\){_S},{_S}({_PLAIN}){_S},"
    rf"{_S}\({_S}({_PLAIN}){_S},{_S}({_PLAIN}){_S},{_S}({_PLAIN}){_S}\)",
    re.IGNORECASE | re.ASCII,
)


class _Reader:
    """Recursive descent over one value; depth is bounded, so is the stack."""

    def __init__(self, text: str, words: Mapping[str, Any], *, strict_numbers: bool) -> None:
        self.text, self.at, self.words, self.strict_numbers = text, 0, words, strict_numbers
        self.open: list[list[Any]] = []
        """What the containers that have not ended hold so far, the outermost first."""

    def skip(self) -> str:
        """Pass white space and comments; the next character, or nothing at the end."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return self.text[self.at : self.at + 1]
            self.at = comment.end()

    def value(self, depth: int) -> Any:
        first = self.skip()
        if first in ("[", "(") and first:
            return self._items("]" if first == "[" else ")", depth)
        if first == "{":
            return self._mapping(depth)
        if first in ("'", '"') and first:
            return self._string()
        found = _NUMBER.match(self.text, self.at)
        if found:
            self.at = found.end()
            return _number(found[0], self.strict_numbers)
        found = _WORD.match(self.text, self.at)
        if found is None or found[0] not in self.words:
            raise ValueError(f"no literal at character {self.at}")
        self.at = found.end()
        return self.words[found[0]]

    def _items(self, closing: str, depth: int) -> Any:
        items = self._enter(depth)
        commas = 0
        while self.skip() != closing:
            items.append(self.value(depth + 1))
            if self.skip() == ",":
                self.at += 1
                commas += 1
            elif self.skip() != closing:
                raise ValueError(f"no comma at character {self.at}")
        self._leave()
        if closing == "]":
            return items
        # (x) is x itself; (x,) is a tuple.
        return items[0] if len(items) == 1 and not commas else tuple(items)

    def _mapping(self, depth: int) -> dict[Any, Any]:
        values = self._enter(depth)
        found: dict[Any, Any] = {}
        while self.skip() != "}":
            key = self.value(depth + 1)
            if isinstance(key, (list, dict, tuple)):
                raise ValueError("a list is no key")
            if self.skip() != ":":
                raise ValueError(f"no colon at character {self.at}")
            self.at += 1
            found[key] = self.value(depth + 1)
            values.append(found[key])
            if self.skip() == ",":
                self.at += 1
            elif self.skip() != "}":
                raise ValueError(f"no comma at character {self.at}")
        self._leave()
        return found

    def _string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise ValueError(f"a string that begins at character {self.at} has no end")
        self.at = found.end()
        inside = found[1] if found[1] is not None else found[2]
        return _ESCAPE.sub(_unescaped, inside) if "\\" in inside else inside

    def _enter(self, depth: int) -> list[Any]:
        if depth >= MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        self.at += 1
        self.open.append([])
        return self.open[-1]

    def _leave(self) -> None:
        self.at += 1
        self.open.pop()


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)


def _number(text: str, strict: bool) -> int | float:
    plain = text.lstrip("+-")
    if "_" in text and not strict:
        raise ValueError("underscores are no part of a number")
    if plain.replace("_", "").isdigit():
        if strict and len(plain) > 1 and plain[0] == "0" and plain.strip("0_"):
            raise ValueError("whole numbers do not begin with 0")
        if len(plain) > _MAX_DIGITS:
            raise ValueError("a whole number of too many digits")
        return int(text)
    return float(text)


def python_literal(text: str) -> Any:
    """The value of a text that is one Python literal: numbers, strings, lists, tuples, dictionaries, True, False, None.

    A comma after it makes a tuple, as in Python. Expressions, names, sets and anything behind the literal are refused:
    this is where an official scorer that evaluates text takes more.

    Raises:
        ValueError: it is no such literal, or nested too deep.
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"longer than {MAX_CHARS} characters")
    reader = _Reader(text, _PYTHON_WORDS, strict_numbers=True)
    values = [reader.value(0)]
    commas = 0
    while reader.skip() == ",":
        reader.at += 1
        commas += 1
        if reader.skip():
            values.append(reader.value(0))
        elif len(values) < commas:
            raise ValueError("two commas in a row")
    if reader.skip():
        raise ValueError(f"something follows at character {reader.at}")
    return tuple(values) if commas else values[0]


def values_in(text: str) -> list[Any]:
    """All lists and objects in a text, in order, in JSON or Python notation.

    Of a value that breaks off (an answer cut at its last token) the whole lists and objects inside are given. Reading
    goes on where it broke, so no character is read twice.
    """
    text = text[:MAX_CHARS]
    found: list[Any] = []
    at = 0
    reader = _Reader(text, _PYTHON_WORDS | _JSON_WORDS, strict_numbers=False)
    while (opening := _OPENING.search(text, at)) is not None:
        reader.at, reader.open = opening.start(), []
        try:
            found.append(reader.value(0))
        except ValueError:
            found += [value for values in reader.open for value in values if isinstance(value, (list, dict))]
        at = max(reader.at, opening.end())
    return found


def official_lines(text: str) -> list[str]:
    """The lines of a reply as VG LLM's scorers split them: fences and letters of "json" are stripped off its ends."""
    return text.strip("\n").strip("```").strip("json").strip("\n").split("\n")  # noqa: B005


def object_ids(text: str) -> list[int]:
    """Numbers of all `<OBJ012>` in a text, in order, doubles kept."""
    return [int(digits) for digits in _OBJECT_ID.findall(text)]


def bare_ids(text: str) -> list[int]:
    """All whole numbers of a text but for its last character, names of images ("Img_3", "Image 3") and numerals of a
    list ("3."): how GPT4Scene reads the reply of an untuned model."""
    rest = _NUMERALS.sub("", _PICTURE_NAMES.sub("", text[:-1]))
    return [int(digits) for digits in _DIGITS.findall(rest) if len(digits) <= _MAX_ID_DIGITS]


def location_box(text: str) -> list[float] | None:
    """Centre and size from the first six `<LOC512>`: hundredths of a metre, 500 is zero. None where there are fewer."""
    values = [(int(digits) - 500) / 100 for digits in _LOCATION.findall(text)[:6]]
    return values if len(values) == 6 else None


@dataclass(frozen=True)
class PixelBox:
    """`Frame-12,(412,530),2.31,(0.52,0.90,0.61)`: frames count from 1, the place of the centre from 0 to 1000."""

    frame: int
    x: float
    y: float
    depth_m: float
    width_m: float
    height_m: float
    length_m: float


def pixel_box(text: str) -> PixelBox | None:
    """The first box of this form in a text."""
    found = _PIXEL_FORM.search(text)
    return PixelBox(int(found[1]), *(float(value) for value in found.groups()[1:])) if found else None


def numbers(value: Any, length: int, *, bools: bool = False) -> list[float] | None:
    """A list of exactly so many numbers as floats, else None; True is 1 only where `bools` says so.

    Numbers beyond 1e9 are none: no box of a room has them, and arithmetic stays finite.
    """
    if not isinstance(value, (list, tuple)) or len(value) != length:
        return None
    if not all(isinstance(v, (int, float)) and (bools or not isinstance(v, bool)) for v in value):
        return None
    try:
        found = [float(v) for v in value]
    except OverflowError:
        return None
    return found if all(abs(v) <= _LARGEST for v in found) else None


def world_box(value: Any) -> list[float] | None:
    """Centre and size of an axis-aligned box: six numbers, eight corners, or an object that has them as "bbox",
    "bbox_3d" or "box"."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("bbox", "bbox_3d", "box") if key in value), None)
    six = numbers(value, 6)
    if six is not None or not isinstance(value, (list, tuple)) or len(value) != 8:
        return six
    corners = [numbers(corner, 3) for corner in value]
    if None in corners:
        return None
    columns = list(zip(*corners, strict=True))  # type: ignore[arg-type]
    low, high = [min(column) for column in columns], [max(column) for column in columns]
    return [(a + b) / 2 for a, b in zip(low, high, strict=True)] + [b - a for a, b in zip(low, high, strict=True)]


def world_boxes(text: str) -> list[list[float]]:
    """All axis-aligned boxes of a text: single ones, lists of them, or an object with a list as "boxes"."""
    found = []
    for value in values_in(text):
        one = world_box(value)
        if one is not None:
            found.append(one)
            continue
        if isinstance(value, dict):
            value = next((value[key] for key in ("boxes", "bboxes", "bbox_3d") if key in value), None)
        if isinstance(value, (list, tuple)):
            found += [box for box in map(world_box, value) if box is not None]
    return found
