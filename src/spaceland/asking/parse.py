"""Which numbered objects an answer names, which of these it turns down, and whether it says that there is none.

Models name objects in many ways; all of these give 3, 7 and 12:

    <OBJ003>, <OBJ007> and <OBJ012>.        objects 3, 7 and 12        #3, #7, #12        object3, No. 7, id 12
    {"ids": [3, 7, 12]}                     [3, 7, 12]                 **Object 3**, mark 7, and `OBJ012`

and where the labels are known, "the armchair (3)" as well, if object 3 is an armchair, and "chairs 3 and 7" if both are
chairs. "Objects 3-7" and "objects 3 to 7" are all numbers from 3 to 7 that exist. In answers to grounding questions
(`bare_numbers`) a reply of numbers alone, such as "3, 7", is a list of ids too.

What only looks like an id is none: counts ("2 chairs"), lengths ("1.5 m"), pictures ("Image 3", "Img_3"), list
numerals ("1."). An id that the answer turns down ("it is not object 0") is mentioned and not chosen. "None", "no
object" and "there is no such object" are answers: nothing is chosen then, whatever else is mentioned, so they never
become object 0. Ids that no object carries are kept in `unknown`. Text is only searched, never run; the time grows with
its length and no faster.

`json_ids` reads JSON, `prose` finds ids in words, `denial` what is denied.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from spaceland.asking.denial import says_none
from spaceland.asking.json_ids import FENCE, json_ids
from spaceland.asking.prose import MAX_DIGITS, Mention, mentions, number_signs

# A reply of numbers alone; longer ones are no list of ids, and a full match costs time.
_BARE = re.compile(
    r"[\[(]? ?(?:ids? ?[:=]? ?)?[0-9]+(?: ?(?:,|;|and|&|-|\u2013|to) ?(?:and )?[0-9]+| [0-9]+)* ?[\])]? ?\.?", re.I
)
_MAX_BARE = 2000


@dataclass(frozen=True)
class ParsedIds:
    """Ids in the order in which they are first named, ids that nothing carries (as written), and whether it says none.

    `ids` holds every object that is mentioned, also what a negative answer mentions ("None; object 3 is red") and what
    is turned down; `denied` holds the latter alone.
    """

    ids: tuple[int, ...]
    unknown: tuple[str, ...]
    says_none: bool
    denied: tuple[int, ...] = ()

    @property
    def chosen(self) -> tuple[int, ...]:
        """The ids that the answer stands by: none where it says none."""
        return () if self.says_none else tuple(k for k in self.ids if k not in self.denied)

    @property
    def silent(self) -> bool:
        """Whether it names no object and does not say that there is none either."""
        return not (self.ids or self.unknown or self.says_none)


def parse_ids(text: str, known: Collection[int] | Mapping[int, str], *, bare_numbers: bool = False) -> ParsedIds:
    """Find the objects that an answer names.

    Args:
        text: The model's words.
        known: Numbers that exist; as a mapping to labels, "the armchair (3)" is understood too.
        bare_numbers: Objects were asked for: an answer that is nothing but numbers is a list of ids, and "there is no
            lamp" means that none fits.

    >>> parse_ids("Objects 3 and **12**; 2 chairs in Image 7 are 1.5 m away. <OBJ099>", {3, 7, 12}).ids
    (3, 12)
    >>> parse_ids("It is not object 3 but object 7.", {3, 7}).chosen
    (7,)
    >>> parse_ids("There is no such object; <OBJ000> is a door.", {0}).chosen
    ()
    """
    # Reasoning models think aloud first; only what follows is the answer.
    text = text.rpartition("</think>")[2]
    from_json = json_ids(text, bare_numbers)
    if from_json is not None:
        ids, unknown, denied = _sorted_out((Mention(digits, denied=False) for digits in from_json), known)
        return ParsedIds(ids, unknown, not from_json, denied)
    plain = FENCE.sub(" ", text).replace("*", " ").replace("`", " ").replace("\\", " ")
    found = mentions(plain, known)
    if not found and bare_numbers and len(plain) <= _MAX_BARE:
        spaced = " ".join(plain.split())
        found = mentions(f"ids {spaced}", known) if _BARE.fullmatch(spaced) else []
    ids, unknown, denied = _sorted_out(found, known)
    stands_by = any(not mention.denied for mention in found)
    none = says_none(number_signs(plain), stands_by=stands_by, grounding=bare_numbers)
    return ParsedIds(ids, unknown, none, denied)


def _sorted_out(
    found: Iterable[Mention], known: Collection[int]
) -> tuple[tuple[int, ...], tuple[str, ...], tuple[int, ...]]:
    """Ids that exist, ids that do not, and ids that are turned down; each once, in order."""
    ids: dict[int, None] = {}
    unknown: dict[str, None] = {}
    denied: dict[int, None] = {}
    for mention in found:
        number = mention.digits.lstrip("0") or "0"
        if len(number) <= MAX_DIGITS and int(number) in known:
            ids[int(number)] = None
            if mention.denied:
                denied[int(number)] = None
        else:
            unknown[number if len(number) <= 12 else number[:12] + "..."] = None
    return tuple(ids), tuple(unknown), tuple(denied)
