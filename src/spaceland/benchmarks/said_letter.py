"""Which option letter a reply names, as a person would read it.

Every letter that stands by itself is a mention. What is around it says whether it counts:

1. A mention that is denied ("not B", "B is wrong", "rule out B or C") never counts.
2. Of the others those that are stated as the answer count ("the answer is B", "B is correct", "so B.").
3. Where nothing is stated, the letter that opens the reply as an option does ("B. left", "B because ...").
4. Else all of them. Two different letters that count are none: who hedges has not chosen.

>>> stated_letter("The answer is A, not B", 4), stated_letter("B is wrong, A is right", 4), stated_letter("A or B", 4)
('A', 'A', None)

Around a mention only a fixed number of characters is looked at, so time is linear in the length of a reply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BEFORE, _AFTER = 64, 96
_ALONE = re.compile(r"\W{0,6}([A-Za-z])\W{0,6}$")
# Not inside a word, a possessive ("B's"), a contraction ("DON'T") or a compound ("C-shaped").
_LONE = re.compile(r"(?<![A-Za-z0-9])(?<![A-Za-z0-9]['\u2019])([A-Za-z])(?!['\u2019]?[A-Za-z0-9])(?!-[a-z])")
_OPENING_MARKS = r"[\s\"'\u2018\u201c`*_(\[{$#>]{0,8}"
_CLOSING_MARKS = r"[\"'\u2019\u201d`*_)\]}$]{0,4}"
_NOUN = r"(?:(?:the\s+)?(?:options?|choices?|letters?|answers?)\s*:?)?"
_SURELY = r"(?:(?:most\s+)?(?:likely|probably|clearly|definitely|therefore|thus|simply|obviously|indeed|also)\s+)?"

_STATED_BEFORE = re.compile(
    rf"\b(?:(?:answer|choice|option|solution|conclusion|best|one)[\s*_`]{{0,4}}(?:is|was|would\s+be|should\s+be|must\s+be"
    rf"|[:=]|->)|answer[ *_`]{{0,4}}\n|final\s+answer|choose|chose|pick(?:ed)?|select(?:ed)?|go(?:ing)?\s+with)"
    rf"[\s*_`:]{{0,6}}{_SURELY}{_NOUN}{_OPENING_MARKS}\Z",
    re.IGNORECASE,
)
_SO_BEFORE = re.compile(
    rf"\b(?:so|thus|therefore|hence)\b[\s,:]{{0,3}}(?:it(?:'s|\s+is|\s+must\s+be)\s+)?{_NOUN}{_OPENING_MARKS}\Z",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(rf"\b(?:options?|choices?|letters?)\s*:?{_OPENING_MARKS}\Z", re.IGNORECASE)
_DENIED_BEFORE = re.compile(
    r"(?:\bnot|n['\u2019]t|\bcannot|\bnever|\bneither|\bnor|\brather\s+than|\binstead\s+of|\bthan|\bunlike|\bexcept"
    r"|\brul(?:e|es|ed|ing)(?:\s+out)?|\beliminat(?:e|es|ed|ing)|\bexclud(?:e|es|ed|ing)|\breject(?:s|ed|ing)?"
    r"|\b(?:wrong|incorrect)\s+(?:answer|option|choice))"
    r"(?:\s+(?:be|is|are|it|it's|that|to|for|say|choose|pick|select|think|believe|the|correct|right|really|just)){0,4}"
    rf"\s*{_NOUN}{_OPENING_MARKS}\Z",
    re.IGNORECASE,
)
_ASIDE = r"(?:\s?\([^()\n]{0,40}\))?(?:,?\s+which)?"
_WRONG = (
    r"(?:wrong|incorrect|false|ruled\s+out|eliminated|excluded|invalid|impossible|implausible|unlikely|inaccurate)\b"
)
_DENIED_AFTER = re.compile(
    rf"{_CLOSING_MARKS}{_ASIDE}(?:"
    r"\s+(?P<one>(?:isn['\u2019]t|wasn['\u2019]t|is\s+not|was\s+not|does\s*n(?:o|['\u2019])t\s+(?:fit|match|work|hold))\b"
    rf"|(?:is|was|seems|looks)\s+(?:to\s+be\s+)?{_SURELY}(?:the\s+)?(?:not\b|{_WRONG}))"
    rf"|\s+(?:are|were|can|could|must|would|should|have)\s+(?:all\s+|both\s+|been\s+|be\s+)*{_SURELY}(?:not\b|{_WRONG})"
    r"|\s+(?:are|were|ca|could|would|wo|do)n['\u2019]t\b|\s+cannot\b"
    rf"|\s?[:(=\u2013-]\s?(?:not\b|{_WRONG}))",
    re.IGNORECASE,
)
_STATED_AFTER = re.compile(
    rf"{_CLOSING_MARKS}{_ASIDE}\s+(?:is|was|would\s+be|must\s+be|seems|looks|appears)\s+(?:to\s+be\s+)?{_SURELY}"
    r"(?:the\s+)?(?:only\s+|most\s+|best\s+|single\s+)?"
    # "A is right of the table" says where A is.
    r"(?:correct|true|accurate|answer|solution|best|right(?=\s*(?:[^\w\s]|\Z|and\b|but\b|because\b|since\b|answer\b)))",
    re.IGNORECASE,
)
_JOINED = re.compile(
    rf"{_CLOSING_MARKS}(?:\s?(?P<comma>,)\s?|\s?[/&]\s?|,?\s(?:and|or|nor|and/or)\s){_NOUN}{_OPENING_MARKS}",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(rf"{_CLOSING_MARKS}\s?(?:[^\w\s]|\n|\Z)")
_LABEL_END = re.compile(rf"{_CLOSING_MARKS}(?:[.):,]|[ \t]*(?:\n|\Z)|\s+(?:because|since|as)\b)")
_LABEL_START = re.compile(r"(?:\A|\n)[\s\"'`*_(\[#>-]{0,8}\Z")
_LINE_MARKS = "\"'`*_([#>-\n\t "
_NEXT_WORD = re.compile(r"[ \t]+(rather than|[A-Za-z]+)")
# What no article stands before: "A is", "A because", "A or B".
_NO_NOUN = frozenset(
    ("is", "was", "are", "isn", "wasn", "does", "doesn", "seems", "looks", "appears", "has", "would", "must", "should",
     "can", "cannot", "could", "or", "and", "nor", "but", "not", "because", "since", "as", "over", "than", "for",
     "with", "in", "on", "at", "of", "to", "from", "by", "if", "so", "then", "which", "while", "whereas", "instead",
     "rather than")
)  # fmt: skip


@dataclass
class _Mention:
    """A letter that stands by itself; `joined` says how the next mention follows: in a list with it, or not."""

    letter: str
    start: int
    end: int
    stated: bool = False
    denied: bool = False
    joined: str = ""


def stated_letter(text: str, num_options: int) -> str | None:
    """The option letter that a reply names; None where it names none, or more than one. The rules are above.

    A small letter counts alone, in brackets, or where the words around it say that it is an option; "A" before a noun
    is the article and "I" before a verb the pronoun.

    >>> stated_letter("The answer is (B).", 4), stated_letter("A chair is left", 4), stated_letter("answer: a", 4)
    ('B', None, 'A')
    """
    allowed = LETTERS[:num_options]
    alone = _ALONE.match(text) if len(text) <= 13 else None
    if alone:
        return alone[1].upper() if alone[1].upper() in allowed else None
    mentions = _mentions(text, allowed)
    lists = _lists(text, mentions)
    for members in lists:
        _judge(text, members)
    live = [mention for mention in mentions if not mention.denied]
    stated = [mention for mention in live if mention.stated]
    return _only(stated or _labels(text, mentions) or live)


def _only(mentions: list[_Mention]) -> str | None:
    letters = {mention.letter for mention in mentions}
    return letters.pop() if len(letters) == 1 else None


def _mentions(text: str, allowed: str) -> list[_Mention]:
    found: list[_Mention] = []
    for match in _LONE.finditer(text):
        letter = match[1].upper()
        if letter not in allowed:
            continue
        mention = _Mention(letter, match.start(), match.end())
        previous = found[-1] if found else None
        if match[1].islower():
            after_small = (
                previous is not None
                and text[previous.start].islower()
                and _JOINED.fullmatch(text, previous.end, mention.start)
            )
            if not (_is_option(text, mention) or after_small):
                continue
        elif letter in "AI" and _is_word(text, mention):
            continue
        found.append(mention)
    return found


def _is_option(text: str, small: _Mention) -> bool:
    """Whether a small letter is an option: bracketed, opening the reply like "b. left", or said to be one."""
    before, after = _before(text, small), text[small.end : small.end + 1]
    if (before.endswith("(") and after == ")") or _STATED_AFTER.match(text, small.end, small.end + _AFTER):
        return True
    if small.start <= 8 and _LABEL_START.search(before) and (after in (".", ")", ":") or not text[small.end :].strip()):
        return True
    if _NAMED_BEFORE.search(before):
        return True
    return bool(_STATED_BEFORE.search(before)) and not _is_word(text, small)


def _is_word(text: str, mention: _Mention) -> bool:
    """Whether "A" is the article, and "I" the pronoun: a noun, or a verb, follows."""
    following = _NEXT_WORD.match(text, mention.end, mention.end + _AFTER)
    if following is None or _NAMED_BEFORE.search(_before(text, mention)):
        return False
    word = following[1].lower()
    return word not in _NO_NOUN if mention.letter == "A" else mention.letter == "I" and word != "is"


def _before(text: str, mention: _Mention) -> str:
    return text[max(0, mention.start - _BEFORE) : mention.start]


def _lists(text: str, mentions: list[_Mention]) -> list[list[_Mention]]:
    """Mentions that "and", "or" or a slash join; commas join where one of those follows: "B, C or D"."""
    if not mentions:
        return []
    for this, following in pairwise(mentions):
        near = following.start - this.end <= _BEFORE
        join = _JOINED.fullmatch(text, this.end, following.start) if near else None
        this.joined = "" if join is None else "comma" if join["comma"] else "word"
    lists = [[mentions[-1]]]
    for this, following in zip(mentions[-2::-1], mentions[:0:-1], strict=True):
        if this.joined == "word" or (this.joined == "comma" and following.joined == "word"):
            lists[-1].append(this)
        else:
            lists.append([this])
    return [members[::-1] for members in lists[::-1]]


def _judge(text: str, members: list[_Mention]) -> None:
    """What the words around a list state and deny. Words before it are about all that follow, words after it about all
    that precede, but "is wrong" only about one, and not about what was stated as the answer.
    """
    for k, mention in enumerate(members):
        before = _before(text, mention)
        if _DENIED_BEFORE.search(before):
            for other in members[k:]:
                other.denied = True
        elif _STATED_BEFORE.search(before) or (
            _SO_BEFORE.search(before) and _CLAUSE_END.match(text, members[-1].end, members[-1].end + _AFTER)
        ):
            for other in members[k:]:
                other.stated = True
    last = members[-1]
    denial = _DENIED_AFTER.match(text, last.end, last.end + _AFTER)
    if denial:
        last.denied = True
        for other in () if denial["one"] else members[:-1]:
            other.denied = other.denied or not other.stated
    elif _STATED_AFTER.match(text, last.end, last.end + _AFTER):
        for other in members:
            other.stated = True


def _labels(text: str, mentions: list[_Mention]) -> list[_Mention]:
    """Letters that stand like options at the beginning of a line, where the reply opens with one that is not denied."""
    if not mentions or not _is_label(text, mentions[0]) or text[: mentions[0].start].strip(_LINE_MARKS):
        return []
    labels = []
    for mention, following in zip(mentions, [*mentions[1:], None], strict=True):
        if _is_label(text, mention):
            # "A, B" is no choice, though the comma after A would do for "A, since ...".
            labels += [mention, following] if mention.joined and following else [mention]
    return [mention for mention in labels if not mention.denied] if not mentions[0].denied else []


def _is_label(text: str, mention: _Mention) -> bool:
    end = _LABEL_END.match(text, mention.end, mention.end + _AFTER)
    return end is not None and _LABEL_START.search(_before(text, mention)) is not None
