"""How VLMEvalKit reads letters and numbers out of replies to spatial benchmarks, by rules alone (no judge model).

Its regular expressions can take quadratic time on long replies. The same rules are written here as scans that take
linear time; `tests/benchmarks/test_vsibench.py` holds the values.

>>> option_letter("The answer is (B)."), stated_value("1,200"), stated_value("<think>x 9</think> four")
('B', 200.0, 4.0)
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from spaceland.benchmarks.numbers import SMALL_NUMBERS

_ZERO_WIDTH = re.compile("[\u200b\u200c\u200d\ufeff]")
_TAIL_CHARS, _TAIL_LINES = 800, 6
_LONGEST_LIST, _DEEPEST_LIST = 1000, 20

_NUMBER = re.compile(r"[-+]?(?:\d*\.\d+|\d+)(?:[eE][-+]?\d+)?")
_WORDS = (*SMALL_NUMBERS, "twenty")
_NUMBER_WORD = re.compile(r"\b(?:" + "|".join(_WORDS) + r")\b", re.IGNORECASE)

_OPEN_ANSWER = re.compile(r"<\s*answer\b", re.IGNORECASE)
_CLOSE_ANSWER = re.compile(r"<\s*/\s*answer\s*>", re.IGNORECASE)
_CLOSE_TAG_TAIL = {name: re.compile(rf"</\s*{name}\s*>", re.IGNORECASE) for name in ("answer", "think")}
_OPEN_THINK = re.compile(r"<\s*think\s*>", re.IGNORECASE)
_LEADING_LETTER = re.compile(r"\s*([A-Ja-j])")

_OPTION_LINE = re.compile(r"[*_>\-\s]*(?:option|\u9009\u9879)\s+[A-J]\s*[:\uff1a]", re.IGNORECASE)
_LABELLED_LINE = re.compile(r"\s*([A-F])\s*[.\uff0e:\uff1a)\]\u3011\u3001-]\s+", re.IGNORECASE)
_BEFORE_SINGLE = "*_`>\uff08\uff09[]\u3010\u3011()"
_AFTER_SINGLE = "*_`\uff08\uff09[]\u3010\u3011()"
_CAPITAL = re.compile(r"(?<![A-Za-z])[A-F]")
_AFTER_TOKEN = "*_`\uff09])}"
_TIGHT = set(".,:;!?)]\u3011\u300b\u300d\u300f\uff0c\u3002\uff1b\u3001\uff1a\uff09")

_CONCLUSION = re.compile(
    "answer|\u7b54\u6848|\u7ed3\u8bba|\u6240\u4ee5|\u56e0\u6b64|\u9009", re.IGNORECASE
)  # the words for answer, conclusion, so, therefore, choose
_IS = re.compile(r"\s*is", re.IGNORECASE)
_CHOOSE, _CHOOSE_2 = "\u9009", "\u62e9"
_SEPARATORS, _OPEN_BRACKETS = ":\uff1a>\uff1d=", "([{\uff08\u3010"
_CLOSE_BRACKETS = ")]}\uff09\u3011"
_ANY_LETTER = re.compile("[A-F]", re.IGNORECASE)
_LATIN_LETTER = re.compile("[A-Z]", re.IGNORECASE)  # of any case also means the long s and the sign of Kelvin
_WORD_CHAR = re.compile(r"\w")
_LONE_CAPITAL = re.compile(r"(?<![A-Za-z])[A-F](?![A-Za-z])")


def option_letter(reply: str) -> str | None:
    """The option that a reply names, A to F (A to J in answer tags); None where the rules find none.

    In this order: the letter after <answer>; the letter before </answer> or </think> near the end; the last of six
    lines (after thinking, then of the last 800 characters) that is a letter, begins with one, or holds a single
    capital; the first "answer is X"; the only lone capital of the whole reply.
    """
    text = _visible(reply)
    tagged = _tagged_letter(text) or _letter_before_close(text[-_TAIL_CHARS:]) if "<" in text else None
    return (
        tagged
        or _letter_of_lines(after_thinking(text))
        or (_letter_of_lines(text[-_TAIL_CHARS:]) if len(text) > _TAIL_CHARS or "<" in text else None)
        or _letter_of_conclusion(text)
        or _only_letter(text)
    )


def stated_value(reply: str) -> float | None:
    """The number that a reply states: in answer tags, else the last one after thinking, else the last one.

    Number words up to twenty count. A reply in square brackets is read as a list of which the first entry counts; if it
    is none (or longer than 1,000 characters, which they allow), nothing does.
    """
    if reply.strip().startswith("[") and reply.strip().endswith("]"):
        first = _first_of_list(reply)
        if first is None:
            return None
        reply = first
    text = _visible(reply)
    text = _NUMBER_WORD.sub(lambda match: str(_WORDS.index(match[0].lower())), text)
    for start in _after_open_answer(text):
        number = _NUMBER.match(text, _skip_space(text, start))
        if number:
            close = text.find("<", number.end())
            if close >= 0 and _CLOSE_ANSWER.match(text, close):
                return float(number[0])
    for part in (after_thinking(text), text):
        numbers = _NUMBER.findall(part)
        if numbers:
            return float(numbers[-1])
    return None


def _visible(reply: str) -> str:
    text = reply.strip()
    return text if text.isascii() else _ZERO_WIDTH.sub("", text)


def after_thinking(text: str) -> str:
    """What follows the last </think>, or without one the last <think>."""
    if "<" not in text:
        return text
    for tag in (_CLOSE_TAG_TAIL["think"], _OPEN_THINK):
        end = -1
        for match in tag.finditer(text):
            end = match.end()
        if end >= 0:
            return text[end:].strip()
    return text


def _first_of_list(reply: str) -> str | None:
    """The first entry of a Python list as text, the reply itself for an empty list; None for anything else."""
    depth = deepest = 0
    for character in reply[:_LONGEST_LIST]:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if len(reply) > _LONGEST_LIST or deepest > _DEEPEST_LIST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(reply)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return str(value[0]) if isinstance(value, list) and value else reply


def _after_open_answer(text: str) -> Iterator[int]:
    """Where the content of every <answer ...> begins; tags that share an end are given once."""
    end = -1
    for tag in _OPEN_ANSWER.finditer(text):
        if tag.end() <= end:
            continue
        end = text.find(">", tag.end()) + 1
        if end == 0:
            return
        yield end


def _tagged_letter(text: str) -> str | None:
    last_close = -1
    for match in _CLOSE_ANSWER.finditer(text):
        last_close = match.start()
    for start in _after_open_answer(text):
        letter = _LEADING_LETTER.match(text, start)
        if letter and letter.end() <= last_close:
            return letter[1].upper()
    return None


def _letter_before_close(tail: str) -> str | None:
    for name in ("answer", "think"):
        for close in _CLOSE_TAG_TAIL[name].finditer(tail):
            left = tail[: close.start()].rstrip()
            left = left[:-1].rstrip() if left[-1:] and left[-1] in _CLOSE_BRACKETS else left
            if _ANY_LETTER.fullmatch(left[-1:]) and not _LATIN_LETTER.fullmatch(left[-2:-1]):
                return left[-1].upper()
    return None


def _letter_of_lines(text: str) -> str | None:
    for line in reversed(text.splitlines()[-_TAIL_LINES:]):
        line = line.strip()
        if not line or _OPTION_LINE.match(line):
            continue
        single = line.lstrip(_BEFORE_SINGLE).lstrip()
        if _ANY_LETTER.fullmatch(single[:1]) and not single[1:].strip().strip(_AFTER_SINGLE):
            return single[0].upper()
        labelled = _LABELLED_LINE.match(line)
        if labelled:
            return labelled[1].upper()
        tokens = {match[0] for match in _CAPITAL.finditer(line) if _ends_token(line, match.end())}
        if len(tokens) == 1:
            return tokens.pop()
    return None


def _ends_token(line: str, position: int) -> bool:
    """Whether a letter that ends here stands alone: closing signs may follow, then the end, a space or punctuation."""
    while True:
        character = line[position : position + 1]
        if not character or character.isspace() or character in _TIGHT:
            return True
        if character not in _AFTER_TOKEN:
            return False
        position += 1


def _letter_of_conclusion(text: str) -> str | None:
    for word in _CONCLUSION.finditer(text):
        position = word.end()
        if word[0] == _CHOOSE and text.startswith(_CHOOSE_2, position):
            position += 1
        follows = _IS.match(text, position) if word[0].lower() == "answer" else None
        position = _skip_space(text, follows.end() if follows else position)
        for optional in (_SEPARATORS, _OPEN_BRACKETS):
            if text[position : position + 1] and text[position] in optional:
                position = _skip_space(text, position + 1)
        letter = text[position : position + 1]
        if _ANY_LETTER.fullmatch(letter) and not _WORD_CHAR.match(text, position + 1):
            return letter.upper()
    return None


def _skip_space(text: str, position: int) -> int:
    while text[position : position + 1].isspace():
        position += 1
    return position


def _only_letter(text: str) -> str | None:
    lines = [line for line in text.splitlines() if not _OPTION_LINE.match(line)]
    found = set(_LONE_CAPITAL.findall("\n".join(lines)))
    return found.pop() if len(found) == 1 else None
