"""Which numbers of a text in words are ids: a number counts when the word that it belongs to says so.

The words are read once, from left to right, with the last word that a number could belong to in mind: "objects 3, 7
and 12" names three, "Images 3 and 7" none, "the armchair (3)" one if object 3 is an armchair, "3 chairs" none.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from spaceland.asking.denial import after_says_no, denied_tokens
from spaceland.asking.wordlists import JOINING, words

MAX_DIGITS = 6


# One pass over the text. Gaps are bounded, so no alternative can walk far before it fails.
_TOKEN = re.compile(
    r"""
    (?P<tag>(?<![A-Za-z0-9])(?:OBJ[\ _:#-]{0,3}|(?:object|item|mark|marker|label|number|id)[_#]?)
        (?P<tag_id>[0-9]+)(?![0-9A-Za-z]|[.][0-9]))
  | (?P<decimal>[0-9]+(?:[.][0-9]+)+)
  | (?P<hash>[#]\s?(?P<hash_id>[0-9]+)(?![0-9A-Za-z]))
  | (?P<number>[0-9]+)
  | (?P<word>[^\W\d_]+(?:['\u2019]t(?![^\W\d_]))?)
  | (?P<other>[^\s])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OBJECT = words("object obj item mark marker label number id tag disc disk")
_OBJECTS = words("objects objs items marks markers labels numbers ids tags discs disks")
NAMING = _OBJECT | _OBJECTS
_BRIDGES = words("id ids number numbers no nos mark marks label labels labelled labeled marked numbered with")
_PICTURES = words(
    "image images img imgs frame frames picture pictures photo photos view views page step option figure fig part"
)
_UNITS = words(
    "m cm mm km metre metres meter meters centimetre centimetres centimeter centimeters millimetres millimeters ft "
    "foot feet inch inches px pixel pixels degree degrees deg percent times x s sec seconds minutes kg"
)
_DASHES = frozenset("-\u2013\u2014")
_UP_TO = words("to through till until")
_VERBS_IN_S = words("is was has does matches fits stands seems appears lies sits belongs looks this as its")
_PUNCTUATION_IN_LISTS = frozenset(",;:&/()[]<>#='\"_{}|~") | _DASHES
_NUMERAL = re.compile(r"(?m)^\s{0,20}[0-9]{1,3}[.)]\s{1,20}(?=\S)")
# "No. 3" and "No 3" are number 3; "No. 3 chairs ..." and "no 3 seater" are not.
_COUNTS = rf" (?:of|more|people|(?!(?:{'|'.join(sorted(_VERBS_IN_S))})\b)[^\W\d_]{{3,40}}s)\b"
_NO_NOUN = r"\s{0,3}(?:$|[^\s\w]|(?:and|or|is|was|fits|matches)\b)"
_NUMBER_SIGN = re.compile(
    rf"(?<![^\W_])nos?(?:\. ?(?=[0-9]{{1,400}}(?![0-9])(?!{_COUNTS}))| (?=[0-9]{{1,400}}(?![0-9]){_NO_NOUN}))", re.I
)


@dataclass(frozen=True)
class Mention:
    """Digits of an id as written, and whether the answer says that this is not the one."""

    digits: str
    denied: bool


def mentions(text: str, known: Collection[int] | Mapping[int, str]) -> list[Mention]:
    """The ids that a text names, in order; labels are understood where `known` gives them."""
    text = _NUMERAL.sub("\n", number_signs(text))
    tokens = list(_TOKEN.finditer(text))
    words = [m["word"].lower().replace("\u2019", "'") if m["word"] else "" for m in tokens]
    denied = denied_tokens(text, tokens, words, NAMING | _BRIDGES)
    reader = _Reader(text, tokens, words, known)
    found = list(reader.read())
    # What follows the last id of a list says it of the whole list: "objects 3 and 7 do not fit".
    refused = {group for k, group, _ in found if after_says_no(text, tokens[k].end())}
    return [Mention(digits, denied[k] or group in refused) for k, group, digits in found]


def number_signs(text: str) -> str:
    """The text with "No. 3" written "#3", so that this "no" is no denial."""
    return _NUMBER_SIGN.sub("#", text)


class _Reader:
    def __init__(
        self, text: str, tokens: list[re.Match[str]], words: list[str], known: Collection[int] | Mapping[int, str]
    ) -> None:
        self._text, self._tokens, self._words = text, tokens, words
        self._labels = _label_words(known) if isinstance(known, Mapping) else {}
        self._known = known
        self._left: dict[str, list[int]] = {}

    def read(self) -> Iterator[tuple[int, int, str]]:
        """(token, list that it stands in, digits) of every id."""
        subject = ""  # the word that a number would belong to
        listing = False  # after an id, as in "objects 3, 7 and 12"
        group = 0
        end_of_range = -1
        for k, token in enumerate(self._tokens):
            word = self._words[k]
            if k <= end_of_range:
                continue
            if token["tag"] or token["hash"]:
                if subject not in _PICTURES or token["tag"]:
                    group += not listing
                    yield k, group, token["tag_id"] or token["hash_id"]
                    subject, listing = "object", True
            elif token["number"]:
                if self._is_id(k, subject, listing=listing):
                    group += not listing
                    listing = True
                    yield k, group, token["number"]
                    if self._starts_range(k, subject):
                        end_of_range = k + 2
                        last = self._tokens[end_of_range]["number"]
                        members = [*self._between(subject, int(token["number"]), int(last)), last]
                        yield from ((end_of_range, group, digits) for digits in members)
                elif subject not in _PICTURES and not (listing and subject in self._labels):
                    subject, listing = "", False
            elif word in NAMING or word in _PICTURES:
                # "image number 3" and "frame id 3" are still about pictures.
                if not (subject in _PICTURES and word in _BRIDGES):
                    subject, listing = word, False
            elif word:
                goes_on = (listing or subject in _PICTURES) and word in JOINING
                leads_on = subject in NAMING and not listing and word in _BRIDGES
                leads_on = leads_on or (subject in ("id", "ids") and word in ("is", "are"))
                if not (goes_on or leads_on):
                    subject, listing = word, False
            elif self._ends_list(token, listing=listing):
                subject, listing = "", False

    def _is_id(self, k: int, subject: str, *, listing: bool) -> bool:
        digits = self._tokens[k]["number"]
        named = subject in NAMING or self._is_labelled(subject, digits)
        own = not listing and subject in _OBJECT
        return named and not self._touches(k) and not self._counted(k, own=own)

    def _is_labelled(self, subject: str, digits: str) -> bool:
        return len(digits) <= MAX_DIGITS and int(digits) in self._labels.get(subject, ())

    def _ends_list(self, token: re.Match[str], *, listing: bool) -> bool:
        return bool(
            token["decimal"] or token["other"] not in _PUNCTUATION_IN_LISTS or (token["other"] == "(" and listing)
        )

    def _touches(self, k: int) -> bool:
        """Whether the number is glued to letters, as in 2x4 or 3D."""
        token, text = self._tokens[k], self._text
        before = text[token.start() - 1 : token.start()]
        after = text[token.end() : token.end() + 1]
        glued = before.isalnum() or before in ("$", "+", "^")
        return glued or after.isalnum() or after in ("%", "\N{DEGREE SIGN}", "$")

    def _counted(self, k: int, *, own: bool = False) -> bool:
        """Whether the number counts or measures what follows: "3 chairs", "2 m"; `own`: right after "object"."""
        following = k + 1
        if following >= len(self._tokens) or not self._words[following]:
            return False
        word = self._words[following]
        if word in _UNITS and self._tokens[following].start() - self._tokens[k].end() <= 1:
            return True
        if own:
            return False
        is_plural_noun = word.endswith("s") and len(word) > 3 and word not in _VERBS_IN_S
        return is_plural_noun or word in self._labels or word in ("people", "more", "others")

    def _starts_range(self, k: int, subject: str) -> bool:
        """Whether the id begins "3-7" or "3 to 7" after a plural; chains such as 3-7-12 are lists."""
        if subject not in _OBJECTS and not (subject in self._labels and subject.endswith("s")):
            return False
        if not (self._links(k + 1) and self._number(k + 2)) or (self._links(k + 3) and self._number(k + 4)):
            return False
        if k and self._links(k - 1) and self._number(k - 2):
            return False
        first, last = self._number(k), self._number(k + 2)
        if max(len(first), len(last)) > MAX_DIGITS or int(first) >= int(last):
            return False
        return self._is_id(k + 2, subject, listing=True)

    def _links(self, k: int) -> bool:
        return k < len(self._tokens) and (self._tokens[k]["other"] in _DASHES or self._words[k] in _UP_TO)

    def _number(self, k: int) -> str:
        return (self._tokens[k]["number"] or "") if 0 <= k < len(self._tokens) else ""

    def _between(self, subject: str, first: int, last: int) -> list[str]:
        """Numbers that exist strictly between two; only those of the label where a label names the range.

        Each is given once however many ranges hold it, so that many ranges cost no more than one.
        """
        label = "" if subject in NAMING else subject
        if label not in self._left:
            self._left[label] = sorted(self._labels[label]) if label else sorted(self._known)
        left = self._left[label]
        start, stop = bisect_right(left, first), bisect_left(left, last)
        found = left[start:stop]
        del left[start:stop]
        return [str(number) for number in found]


def _label_words(known: Mapping[int, str]) -> dict[str, frozenset[int]]:
    """Last word of a label (and its plural) -> the objects that have it."""
    found: dict[str, set[int]] = {}
    for number, label in known.items():
        last = re.findall(r"[^\W\d_]+", label.lower())[-1:]
        for word in last:
            found.setdefault(word, set()).add(number)
            found.setdefault(word + "s", set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}
