"""Which numbered objects an answer names.

Models name objects in many ways; all of these give 3, 7 and 12:

    <OBJ003>, <OBJ007> and <OBJ012>.        objects 3, 7 and 12        #3, #7, #12
    {"ids": [3, 7, 12]}                     [3, 7, 12]                 **Object 3**, mark 7, and `OBJ012`

and where the labels are known, "the armchair (3)" as well, if object 3 is an armchair. In answers to grounding
questions (`bare_numbers`) a reply of numbers alone, such as "3, 7", is a list of ids too.

What only looks like an id is none: counts ("2 chairs"), lengths ("1.5 m"), pictures ("Image 3", "Img_3"), list
numerals ("1."). "None" and "no object" are answers and never become object 0. Ids that no object carries are kept in
`unknown`. Text is only searched, never run; the time grows with its length and no faster.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

_MAX_DIGITS = 6
_JSON_STARTS = 16
_JSON_PIECE = 4000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JSON_KEYS = _words("id ids object objects object_id object_ids obj obj_id obj_ids mark marks")
_JSON_BARE_KEYS = _words("number numbers answer result")

# One pass over the text. Gaps are bounded, so no alternative can walk far before it fails.
_TOKEN = re.compile(
    r"""
    (?P<tag>(?<![A-Za-z0-9])OBJ[\ _:#-]{0,3}(?P<tag_id>[0-9]+)(?![0-9A-Za-z]|[.][0-9]))
  | (?P<decimal>[0-9]+(?:[.][0-9]+)+)
  | (?P<hash>[#]\s?(?P<hash_id>[0-9]+)(?![0-9A-Za-z]))
  | (?P<number>[0-9]+)
  | (?P<word>[^\W\d_]+)
  | (?P<other>[^\s])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OBJECT = _words("object obj item mark marker label number id tag disc disk no")
_OBJECTS = _words("objects objs items marks markers labels numbers ids tags discs disks nos")
_NAMING = _OBJECT | _OBJECTS
_BRIDGES = _words("id ids number numbers no nos mark marks label labels labelled labeled marked numbered with")
_PICTURES = _words(
    "image images img imgs frame frames picture pictures photo photos view views page step option figure fig part"
)
_UNITS = _words(
    "m cm mm km metre metres meter meters centimetre centimetres centimeter centimeters millimetres millimeters ft "
    "foot feet inch inches px pixel pixels degree degrees deg percent times x s sec seconds minutes kg"
)
_JOINING = _words("and or as well")
_VERBS_IN_S = _words("is was has does matches fits stands seems appears lies sits belongs looks this as its")
_PUNCTUATION_IN_LISTS = frozenset(",;:&/()[]<>#='\"_-{}|~")
_FENCE = re.compile(r"```[A-Za-z]*\n?")
_NUMERAL = re.compile(r"(?m)^\s{0,20}[0-9]{1,3}[.)]\s{1,20}(?=\S)")
_BARE = re.compile(r"[\[(]? ?(?:ids? ?[:=]? ?)?[0-9]+(?: ?(?:,|;|and|&) ?(?:and )?[0-9]+| [0-9]+)* ?[\])]? ?\.?", re.I)
_JSON_ID = re.compile(r"\s{0,9}<?(?:obj(?:ect)?|mark|id)?[ _#:-]{0,3}([0-9]{1,400})>?\.?\s{0,9}", re.I)
_NONE_WORDS = _words("none nothing null nil nobody nowhere")
_NO_THINGS = _words(
    "object objects such match matches matching item items thing things mark marks numbered visible one id ids "
    "suitable fitting other of corresponding valid"
)


@dataclass(frozen=True)
class ParsedIds:
    """Ids in the order in which they are first named, ids that nothing carries (as written), and whether it says none.

    `ids` may hold what a negative answer mentions ("None; object 3 is red"); `chosen` is then empty.
    """

    ids: tuple[int, ...]
    unknown: tuple[str, ...]
    says_none: bool

    @property
    def chosen(self) -> tuple[int, ...]:
        """The ids that the answer stands by: none where it says none."""
        return () if self.says_none else self.ids

    @property
    def silent(self) -> bool:
        """Whether it names no object and does not say that there is none either."""
        return not (self.ids or self.unknown or self.says_none)


def parse_ids(text: str, known: Collection[int] | Mapping[int, str], *, bare_numbers: bool = False) -> ParsedIds:
    """Find the objects that an answer names.

    Args:
        text: The model's words.
        known: Numbers that exist; as a mapping to labels, "the armchair (3)" is understood too.
        bare_numbers: An answer that is nothing but numbers is a list of ids; for grounding questions.

    >>> parse_ids("Objects 3 and **12**; 2 chairs in Image 7 are 1.5 m away. <OBJ099>", {3, 7, 12})
    ParsedIds(ids=(3, 12), unknown=('99',), says_none=False)
    >>> parse_ids("No object fits.", {0})
    ParsedIds(ids=(), unknown=(), says_none=True)
    """
    # Reasoning models think aloud first; only what follows is the answer.
    text = text.rpartition("</think>")[2]
    from_json = _json_ids(text, bare_numbers)
    if from_json is not None:
        found, none = from_json, not from_json
    else:
        plain = _FENCE.sub(" ", text).replace("*", " ").replace("`", " ").replace("\\", " ")
        labels = _label_words(known) if isinstance(known, Mapping) else {}
        found = list(_named(_NUMERAL.sub("\n", plain), labels))
        stripped = plain.strip()
        # Reading bare numbers costs a full match; a reply longer than this is no list of ids.
        if not found and bare_numbers and len(stripped) <= 2000 and _BARE.fullmatch(" ".join(stripped.split())):
            found = re.findall("[0-9]+", stripped)
        none = _says_none(plain, bool(found))
    ids: dict[int, None] = {}
    unknown: dict[str, None] = {}
    for digits in found:
        number = digits.lstrip("0") or "0"
        if len(number) <= _MAX_DIGITS and int(number) in known:
            ids[int(number)] = None
        else:
            unknown[number if len(number) <= 12 else number[:12] + "..."] = None
    return ParsedIds(tuple(ids), tuple(unknown), none)


def _named(text: str, labels: Mapping[str, frozenset[int]]) -> Iterator[str]:
    """Digits of the ids in prose, in order: a number counts when the word that it belongs to says so."""
    tokens = list(_TOKEN.finditer(text))
    words = [m["word"].lower() if m["word"] else "" for m in tokens]
    subject = ""  # the word that a number would belong to
    listing = False  # after an id, as in "objects 3, 7 and 12"
    for k, token in enumerate(tokens):
        word = words[k]
        if token["tag"] or token["hash"]:
            if subject not in _PICTURES or token["tag"]:
                yield token["tag_id"] or token["hash_id"]
                subject, listing = "object", True
        elif token["number"]:
            own = not listing and subject in _OBJECT
            named = subject in _NAMING or _is_labelled(subject, token["number"], labels)
            if named and not _touches(text, token) and not _counted(tokens, words, k, labels, own=own):
                yield token["number"]
                listing = subject in _NAMING
            elif subject not in _PICTURES:
                subject, listing = "", False
        elif word in _NAMING or word in _PICTURES:
            # "image number 3" and "frame id 3" are still about pictures.
            if not (subject in _PICTURES and word in _BRIDGES):
                subject, listing = word, False
        elif word:
            goes_on = (listing or subject in _PICTURES) and word in _JOINING
            leads_on = subject in _NAMING and not listing and word in _BRIDGES
            leads_on = leads_on or (subject in ("id", "ids") and word in ("is", "are"))
            if not (goes_on or leads_on):
                subject, listing = word, False
        elif token["decimal"] or token["other"] not in _PUNCTUATION_IN_LISTS or (token["other"] == "(" and listing):
            subject, listing = "", False


def _touches(text: str, token: re.Match[str]) -> bool:
    """Whether the number is glued to letters, as in 2x4 or 3D."""
    before = text[token.start() - 1 : token.start()]
    after = text[token.end() : token.end() + 1]
    return (before.isalnum() or before in ("$", "+", "^")) or after.isalnum() or after in ("%", "\N{DEGREE SIGN}", "$")


def _counted(
    tokens: list[re.Match[str]], words: list[str], k: int, labels: Mapping[str, frozenset[int]], *, own: bool = False
) -> bool:
    """Whether the number at k counts or measures what follows: "3 chairs", "2 m"; `own`: right after "object"."""
    following = k + 1
    if following >= len(tokens) or not words[following]:
        return False
    word = words[following]
    if word in _UNITS and tokens[following].start() - tokens[k].end() <= 1:
        return True
    if own:
        return False
    is_plural_noun = word.endswith("s") and len(word) > 3 and word not in _VERBS_IN_S
    return is_plural_noun or word in labels or word in ("people", "more", "others")


def _label_words(known: Mapping[int, str]) -> dict[str, frozenset[int]]:
    """Last word of a label (and its plural) -> the objects that have it."""
    found: dict[str, set[int]] = {}
    for number, label in known.items():
        last = re.findall(r"[^\W\d_]+", label.lower())[-1:]
        for word in last:
            found.setdefault(word, set()).add(number)
            found.setdefault(word + "s", set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def _is_labelled(subject: str, digits: str, labels: Mapping[str, frozenset[int]]) -> bool:
    return len(digits) <= _MAX_DIGITS and int(digits) in labels.get(subject, ())


def _says_none(text: str, has_ids: bool) -> bool:
    words = re.findall(r"[^\W\d_]+|[.,;:!?-]", text[:400].lower())
    while words and words[0] in ("answer", ":", "the", "is", "-", "final"):
        words = words[1:]
    if not words:
        return False
    opening, second = words[0], words[1] if len(words) > 1 else "."
    if opening in _NONE_WORDS or (opening == "no" and second in _NO_THINGS):
        return True
    if has_ids:
        return False
    if opening == "no" and not second.isalpha():
        return True
    start = " ".join(w for w in words if w.isalpha())
    return start.startswith(("there is no ", "there are no ", "there is none", "there are none", "not found", "n a"))


def _json_ids(text: str, bare_numbers: bool) -> list[str] | None:
    """Digits of the ids when the reply is JSON or holds a JSON object with ids; None when it does not."""
    body = _FENCE.sub("", text).strip()
    keys = _JSON_KEYS | _JSON_BARE_KEYS if bare_numbers else _JSON_KEYS
    if body[:1] in ("{", "["):
        try:
            return _ids_of(json.loads(body), keys)
        except (ValueError, RecursionError):
            pass
    decoder = json.JSONDecoder()
    # Lists inside prose may be coordinates, so only objects are looked for there. Few and short pieces are tried, so
    # that many openings cannot make the time grow faster than the text.
    for start in islice(re.finditer("{", body), _JSON_STARTS):
        try:
            value, _ = decoder.raw_decode(body[start.start() : start.start() + _JSON_PIECE])
        except (ValueError, RecursionError):
            continue
        ids = _ids_of(value, keys)
        if ids is not None:
            return ids
    return None


def _ids_of(value: Any, keys: frozenset[str]) -> list[str] | None:
    """Ids in a decoded value: a list of ids, or an object with a key such as "ids"; None where it is neither."""
    if isinstance(value, dict):
        named = [entry for key, entry in value.items() if _plain_key(key) in keys]
        if not named:
            return None
        return _ids_of([e for entry in named for e in (entry if isinstance(entry, list) else [entry])], keys)
    if not isinstance(value, list):
        return None
    ids: list[str] = []
    for entry in value:
        if isinstance(entry, int) and not isinstance(entry, bool):
            # -1 is what some models write for "none".
            ids += [str(min(entry, 10**13))] if entry >= 0 else []
        elif isinstance(entry, str) and (match := _JSON_ID.fullmatch(entry)):
            ids.append(match[1])
        elif isinstance(entry, dict) and (part := _ids_of(entry, keys)) is not None:
            ids += part
        elif not (entry is None or (isinstance(entry, str) and entry.strip(" .").lower() in ("none", "null", ""))):
            return None
    return ids


def _plain_key(key: str) -> str:
    return key.lower().replace(" ", "_").replace("-", "_")
