"""Words as the Penn Treebank tokeniser of the caption metrics cuts them, without Java.

The reference is Stanford CoreNLP 3.4.1 (PTBTokenizer, one sentence a line, lower case), after which the caption toolkit
drops a list of punctuation. What surprises in it, and is kept here:

>>> tokenize("It's the chair's back (left-hand), isn't it?!")
"it 's the chair 's back -lrb- left-hand -rrb- is n't it ?!"

Brackets survive as -lrb- and -rrb-, because the list of punctuation is upper case and the words are not; so do runs
such as "?!". Hyphenated words stay whole, "cannot" is two words, "etc." and single letters keep their full stop.

A sentence is cut at white space, and each piece is read from left to right by one pattern; pieces repeat a lot, so they
are remembered. Not followed: markup with spaces inside, telephone numbers in brackets, and a final single letter whose
full stop the reference drops when the *next* sentence begins with a capital.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_L = r"[^\W\d_]"
_WORD = r"[^\W_]++(?:[-_][^\W_]++)*+"
_CONTRACTION = rf"(?:[sSdDmM]|[rRvV][eE]|[lL][lL])(?!{_L})"
_PIECE = re.compile(
    rf"""
    (?P<whole>
        </?[A-Za-z!?_][^<>]{{0,200}}>                                    # markup, and <OBJ012>
      | (?:(?:https?|ftp)://|www\.)[^\s"<>|()]*[^\s"<>|().,;:!?'-]
      | [A-Za-z0-9._%+-]{{1,64}}@[A-Za-z][\w-]*+(?:\.[\w-]++)*+ | [@\#][A-Za-z]\w*+
      | [oO]'clock{_L}*+
      | [A-HJ-XZn]'(?!{_CONTRACTION}){_L}{{2,}}+                     # O'Brien
      | [dDlLjJ]'(?!{_CONTRACTION}){_L}*+                            # d'you
      | [yY]'(?!{_CONTRACTION})(?={_L})                              # y'all
      | {_L}{{0,30}}[aeiouyAEIOUY]'(?<=..')[aeiou]{_L}*+          # ma'am
      | '{_CONTRACTION} | '(?:em|[tT]ill?|cause|[2-9]0s(?![^\W_]))
      | '[nN]'(?!\w*') | '[nN](?!{_L})
      | [A-Z]++(?:&[A-Z]++)++ | [cCfF]\#(?!\w) | [cC]\+\+(?!\w)
      | [!?]{{2,}}+ | \*++ | _++ | -{{5,}}+
      | '(?<![^\W_].)\d\d(?!\w)                                   # '05
      | -[lLrR][rRcCsS][bB]- | [:;]-?[DPp](?!\w)
      | {_L}(?:\.{_L})++(?!{_L})\.?(?:-[^\W_]++)*+                      # a.m., U.S.-based
      | {_L}++(?:[.!?]{_L}++)++                                         # one sentence.and the next
      | [^\W\d_]*+\d++(?:[.,]\d++)++[^\W\d_]*+(?:-[^\W_]++)++           # 3.5-inch, Qwen2.5-VL
    )
    | (?P<drop>--{{1,3}}+ | \.\.\. | '' | \#{{2,}}+)
    | (?P<face>[:;=]-?[()|])
    | (?P<number>[-+]?+(?:\d++(?:[.,:]\d++)++ | [.,:]\d++(?:[.,:]\d++)*+) | [-+]\d++(?![^\W_]))
    | (?P<twas>'[tT](?=is|was))
    | (?P<entity>&(?:amp|lt|gt|quot|nbsp);)
    | (?P<word>{_WORD}(?:/{_WORD}){{0,2}}+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NOT = re.compile(rf"'[tT](?!{_L})")
_TWO_WORDS = {
    "cannot": "can not", "gonna": "gon na", "gotta": "got ta",
    "lemme": "lem me", "gimme": "gim me", "wanna": "wan na",
}  # fmt: skip
_SHORT = """
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri ala ariz calif colo conn ct dak
    fla ga ind kan kans ky md mich minn mo mont neb nev okla penn tenn va vt wis wisc wyo mr mrs ms dr drs prof profs
    sen rep atty lt col gen messrs gov adm rev maj sgt cpl pvt mt capt st ste ave pres lieut hon brig cmdr comdr pfc
    spc supt det jr sr bros blvd rd esq inc co cos corp pty ltd plc rt bancorp dept bhd assn univ intl sys invt elec
    natl mfg mtg ph etc al seq bldg vs alex wm jos cie cf treas ft sq est tel ext
    Az Ark Del Ill La Mass Miss Ore Pa Tex Wash
"""
_ABBREVIATIONS = frozenset(_SHORT.split())
_BEFORE_A_NUMBER = frozenset(("no", "nos", "prop", "fig", "figs", "art", "pp", "ca", "op"))
_OPENING = """
    A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Now Once One
    Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You
"""
_STARTS = frozenset(_OPENING.split())  # words that open a sentence after a single letter with a full stop
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_OTHERS = {
    **_BRACKETS, "\u20ac": "$", "\u00a3": "#",
    **dict.fromkeys("'\"`.?!,:;-", ""),
}  # fmt: skip
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
# Typographic apostrophes and quotes, fractions, and what the reference makes dashes or dots of (which then go).
_PLAIN = str.maketrans({
    "\u2019": "'", "\u2018": "`", "\u201b": "`",
    "\u00bd": " 1/2 ", "\u00bc": " 1/4 ", "\u00be": " 3/4 ", "\u2153": " 1/3 ", "\u2154": " 2/3 ",
    **dict.fromkeys("\u201c\u201d\u201e\u00b4\u2013\u2014\u2026", " "),
})  # fmt: skip
_SPACES = re.compile("[\\s\u200b\ufeff]+")


def tokenize(text: str) -> str:
    """The words of one sentence in small letters, without punctuation, one space between them; may be ""."""
    pieces = text.split() if text.isascii() else _SPACES.split(text.translate(_PLAIN))
    found: list[str] = []
    for index, piece in enumerate(pieces):
        # Only a final full stop needs to see what comes next: "no. 5", and "option A. The chair".
        following = pieces[index + 1] if piece.endswith(".") and index + 1 < len(pieces) else ""
        kind = "number" if following[:1].isdigit() else "sentence" if following in _STARTS else ""
        found += _known_words(piece, kind) if len(piece) <= 40 else _words(piece, kind)
    return " ".join(found)


def tokenize_all(texts: Iterable[str]) -> list[str]:
    """`tokenize` for many sentences."""
    return [tokenize(text) for text in texts]


def _words(piece: str, next_kind: str) -> tuple[str, ...]:
    """Words of a text without white space; `next_kind` says what follows it: "number", "sentence" or ""."""
    found: list[str] = []
    position = 0
    while position < len(piece):
        match = _PIECE.match(piece, position)
        assert match is not None  # the last alternative takes any character
        position = match.end()
        token = match[0]
        kind = match.lastgroup
        if kind == "word":
            if token[-1] in "nN" and (ending := _NOT.match(piece, position)):
                found += [token[:-1], token[-1] + ending[0]]
                position = ending.end()
            elif piece[position : position + 1] == "." and _keeps_stop(token, piece, position, next_kind):
                found.append(f"{token}.")
                position += 1
            else:
                found += _TWO_WORDS.get(token.lower(), token).split() if len(token) < 7 else [token]
        elif kind == "other":
            found.append(_OTHERS.get(token, token if ord(token) < 0x10000 else ""))
        elif kind == "entity":
            found.append(_ENTITIES.get(token, ""))
        elif kind == "face":
            found.append(token[:-1] + _BRACKETS.get(token[-1], token[-1]))
        elif kind != "drop":
            found.append(token)
    return tuple(token.lower() for token in found if token)


_known_words = lru_cache(maxsize=1 << 16)(_words)


def _keeps_stop(word: str, piece: str, stop: int, next_kind: str) -> bool:
    """Does the full stop at `stop`, right after a word, belong to it?"""
    last = stop + 1 == len(piece)
    if len(word) == 1 and word.isalpha():
        return not (last and next_kind == "sentence")
    if word in _ABBREVIATIONS or word.lower() in _ABBREVIATIONS:
        return True
    number = next_kind == "number" if last else piece[stop + 1].isdigit()
    return number and word.lower() in _BEFORE_A_NUMBER
