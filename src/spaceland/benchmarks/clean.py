"""Answer cleaning in use for ScanQA and SQA3D, and the one that it should be.

`clean` is what the code of SQA3D, LEO, Chat-Scene, LLaVA-3D and Video-3D-LLM share (word for word the same list of
replacements). It was made for typing errors in one data set and has side effects that move scores:

>>> clean("On the left side of the TV, 2 chairs."), clean("let it be"), clean("none")
('on left side of TV, two chairs', 'left it be', 'zero')

`strict_words` compares words instead: case, punctuation, articles and the writing of small numbers do not count.
"""

from __future__ import annotations

import re

from spaceland.benchmarks.text.ptb import tokenize

_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_WORDS = {
    "letf": "left", "let": "left", "tehre": "there", "brigth": "right", "rght": "right", "behine": "behind",
    "tv": "TV", "chai": "chair", "wasing": "washing", "waslked": "walked", "oclock": "o'clock", "none": "zero",
    "23": "twenty-three", **{str(number): word for number, word in enumerate(_NUMBERS)},
}  # fmt: skip
_NUMBER_WORDS = {str(number): word for number, word in enumerate(_NUMBERS)}
_BRACKET_WORDS = frozenset(f"-{side}{kind}b-" for side in "lr" for kind in "rsc")
_UNWANTED = re.compile(r"[^a-zA-Z0-9,'\s\-:]+")
_RUN = re.compile(r"[a-zA-Z0-9]+")
_SPACES = re.compile(" {2,}")
_CLOCK = re.compile(r"\bo' +clock\b")
# The word after an article is part of the match, so of "a a chair" only the first article goes.
_ARTICLES = tuple((f"{article} ", re.compile(rf"\b{article} ([a-zA-Z]+)")) for article in ("a", "an", "the"))
_DROPPED = frozenset(("a", "an", "the"))


def clean(text: str) -> str:
    """The shared cleaning: lower case, no punctuation but , ' - :, typing errors, numbers to words, no articles."""
    text = text.lower()
    text = text[:-1].rstrip(" ") + "\n" if text.endswith("\n") else text.rstrip(" ")
    text = _SPACES.sub(" ", text.lstrip(" "))
    text = _UNWANTED.sub("", text)
    if "clock" in text:
        text = _CLOCK.sub("o'clock", text)
    text = _RUN.sub(_replace, text)
    for article, pattern in _ARTICLES:
        if article in text:
            text = pattern.sub(r"\1", text)
    return text


def chat_scene_reply(text: str) -> str:
    """What Chat-Scene does to a reply: one final full stop goes, the first letter becomes small, then `clean`."""
    if len(text) > 1:
        text = text[:-1] if text.endswith(".") else text
        text = text[0].lower() + text[1:]
    return clean(text)


def strict_words(text: str) -> tuple[str, ...]:
    """Words that count for a fair comparison; thoughts before </think> are not part of an answer.

    >>> strict_words("The TV (2)."), strict_words("<think>a chair?</think> Two TVs!")
    (('tv', 'two'), ('two', 'tvs'))
    """
    words = tokenize(after_thinking(text)).split()
    return tuple(
        _NUMBER_WORDS.get(word, word)
        for word in words
        if word not in _DROPPED and any(character.isalnum() for character in word) and word not in _BRACKET_WORDS
    )


def strict_text(text: str) -> str:
    """`strict_words` with one space between them."""
    return " ".join(strict_words(text))


def after_thinking(text: str) -> str:
    """What follows the last </think>; the whole text where there is none."""
    return text.rpartition("</think>")[2]


def _replace(match: re.Match[str]) -> str:
    """One run of letters and digits: typing errors and numbers, then a single digit glued to letters goes."""
    run = _WORDS.get(match[0], match[0])
    if len(run) > 1 and run[-1].isdigit() and run[:-1].isalpha():
        run = run[:-1]
    return "backward" if run == "backwards" else run
