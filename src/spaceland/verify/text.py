"""Reading questions and sentences.

Labels are free text and may hold any word ("left door", "chair (red box)", "[1, 2, 3, 4]"). So the first step hides
every mention "the <label> (<colour> point|bounding box)" behind one private character for each colour, longest mention
first; only what is left is searched for numbers, directions and colours. A colour that is still named after that has no
mark, or stands beside another object's label, and the row is wrong.
"""

from __future__ import annotations

import json
import re

from spaceland.verify.rows import COLORS, LETTERS, Row, Wrong, shown
from spaceland.verify.rules import COUNTS

# Private characters cannot be part of a label: labels hold printable characters only.
HIDDEN = {color: chr(0xE000 + k) for k, color in enumerate(COLORS)}
_COLOR_NAME = re.compile(rf"\b({'|'.join(COLORS)}) (point|bounding box|box)\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?!\w)")
_BOX = re.compile(r"\[(\d{1,4}), (\d{1,4}), (\d{1,4}), (\d{1,4})\]")
_DIRECTION = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) (m|degrees) (?:to the )?(right|left|up|down|forward|backward)\b")
_RELATION = re.compile(r"\b(left|right|above|below|closer|farther|front|behind)\b", re.IGNORECASE)
_MOTION_KEYS = (
    ("move_right", "move_left"),
    ("move_up", "move_down"),
    ("move_forward", "move_backward"),
    ("rotate_up", "rotate_down"),
    ("rotate_right", "rotate_left"),
)


def shape_name(shape: str) -> str:
    """How texts call a mark's shape."""
    return "point" if shape == "point" else "bounding box"


def hide_mentions(text: str, row: Row) -> str:
    """The text with every "the <label> (<colour> <shape>)" behind the colour's private character.

    Raises:
        Wrong: a colour is named that has no mark, or beside a label that is not that of its object.
    """
    mentions = {}
    for mark in row.marks:
        label = row.labels.get(mark.color, "")
        place = _place(mark.image_index, len(row.frames)) if row.rules.views in ("multi", "video") else ""
        mentions[f"{label} ({mark.color} {shape_name(mark.shape)}{place})"] = mark.color
    if not row.marks and not row.rules.unnamed:
        mentions = {row.labels.get(role, ""): role for role in row.rules.roles if role in row.objects}
    for mention in sorted(mentions, key=len, reverse=True):
        pattern = rf"\b(?:the|this|that) {re.escape(mention)}"
        text = re.sub(pattern, HIDDEN[mentions[mention]], text, flags=re.IGNORECASE)
    if row.task == "position_matching":
        text = _hide_bare_label(text, row)
    elif row.task == "nav_video":
        for label in sorted(set(row.labels.values()), key=lambda label: (-len(label), label)):
            text = re.sub(rf"\bthe {re.escape(label)}(?!\w)", "the thing", text, flags=re.IGNORECASE)
    elif row.rules.kind == "boxes3d":
        text = text.replace(quoted_labels(row), "these things")
    elif row.task in COUNTS:
        text = re.sub(_counted_noun(row.labels.get("counted", "")), "the things", text, flags=re.IGNORECASE)
    left = _COLOR_NAME.search(text)
    if left:
        raise Wrong(f"'{left.group()}' is named without such a mark, or beside a wrong label")
    return text


def quoted_labels(row: Row) -> str:
    """The labels of a row as a detection question lists them: in quotes, each once, in alphabetical order."""
    return ", ".join(json.dumps(label, ensure_ascii=False) for label in sorted(set(row.labels.values())))


def _place(index: int, num_images: int) -> str:
    """How a mention says which image has the mark."""
    if num_images <= 3:
        return f" in the {('first', 'second', 'third')[index]} image"
    return f" in Frame-{index + 1}"


def _hide_bare_label(text: str, row: Row) -> str:
    """Position matching also says "the lamp marked by the red bounding box" and "the same lamp"."""
    label, hidden = re.escape(row.labels.get("red", "")), HIDDEN["red"]
    text = re.sub(rf"\bthe {label} marked by the red bounding box\b", hidden, text, flags=re.IGNORECASE)
    return re.sub(rf"\b(the|the same) {label}(?!\w)", r"\1 thing", text, flags=re.IGNORECASE)


def split_options(row: Row) -> tuple[str, tuple[str, ...]]:
    """The question without its options, and the options, which must agree with the `options` column.

    Raises:
        Wrong: not four (for some tasks two) distinct options, or other ones in the text.
    """
    # A route with a single turn has but three possible answers.
    one_turn = row.task == "vsi_route_planning" and len(row.objects) == 3
    options, count = row.options or (), 3 if one_turn else row.rules.num_options
    letters = LETTERS[:count]
    if len(options) != count or len({option.strip().lower() for option in options}) != count:
        raise Wrong(f"options {shown(list(options))} are not {count} different ones")
    stem, *lines = row.question.split("\n")
    if lines != [f"{letter}. {option}" for letter, option in zip(letters, options, strict=True)]:
        raise Wrong("the options in the question are not those of the options column")
    if row.answer not in letters:
        raise Wrong(f"answer {shown(row.answer)} is not a letter from A to {letters[-1]}")
    return stem, options


def stem_of(row: Row) -> str:
    """The question without options."""
    if row.format == "select":
        return split_options(row)[0]
    if "\n" in row.question:
        raise Wrong("the question has lines below it, but no options")
    return row.question


def numbers_in(text: str) -> list[float]:
    """All free-standing numbers, in order; "3D" is none."""
    return [float(match) for match in _NUMBER.findall(text)]


def read_number(text: str, decimals: int) -> float:
    """A number written with exactly `decimals` decimals and nothing else."""
    pattern = r"\d{1,12}" if decimals == 0 else rf"\d{{1,12}}\.\d{{{decimals}}}"
    if not re.fullmatch(pattern, text, re.ASCII):
        raise Wrong(f"answer {shown(text)} is not a number with {decimals} decimals")
    return float(text)


def read_box(text: str) -> tuple[int, int, int, int]:
    """A box written as "[x1, y1, x2, y2]" on the 0..1000 scale and nothing else."""
    found = _BOX.fullmatch(text)
    box = tuple(int(v) for v in found.groups()) if found else ()
    if len(box) != 4 or max(box) > 1000 or box[0] >= box[2] or box[1] >= box[3]:
        raise Wrong(f"{shown(text)} is not a box [x1, y1, x2, y2] from 0 to 1000")
    return box[0], box[1], box[2], box[3]


def boxes_in(text: str) -> list[str]:
    """All boxes in a text, as written."""
    return [match.group() for match in _BOX.finditer(text)]


def relation_words_in(text: str) -> list[str]:
    """Relation words in order of appearance. Mentions must be hidden before."""
    return [word.lower() for word in _RELATION.findall(text)]


def read_motion(text: str, decimals: int = 1, angle_step_deg: int = 5) -> tuple[float, ...]:
    """Signed right, up, forward (metres), up, right (degrees) of "move_right:0.4,...,rotate_right:60".

    Raises:
        Wrong: other keys or order, blanks, other decimals of metres, degrees that are no multiples of the step, or a
            zero that does not carry the first direction's name.
    """
    parts = text.split(",")
    if len(parts) != 5:
        raise Wrong(f"motion {shown(text)} has not five parts")
    result = []
    for part, (positive, negative) in zip(parts, _MOTION_KEYS, strict=True):
        key, _, size = part.partition(":")
        if key not in (positive, negative):
            raise Wrong(f"motion part {shown(part)} is neither {positive} nor {negative}")
        number = read_number(size, decimals if key.startswith("move") else 0)
        if key.startswith("rotate") and number % angle_step_deg:
            raise Wrong(f"motion part {shown(part)} is not a multiple of {angle_step_deg} degrees")
        if number == 0 and key == negative:
            raise Wrong(f"motion part {shown(part)} is zero and should be named {positive}")
        result.append(-number if key == negative else number)
    return tuple(result)


def read_motion_sentence(text: str) -> tuple[float, ...]:
    """The same five numbers from a sentence; parts that it leaves out are zero."""
    found: dict[str, float] = {}
    for size, unit, way in _DIRECTION.findall(text):
        key = f"{'move' if unit == 'm' else 'rotate'}_{way}"
        if key in found:
            raise Wrong(f"the sentence says {key} twice")
        found[key] = float(size)
    if len(found) != len(re.findall(r"\d+(?:\.\d+)?", text)):
        raise Wrong("the sentence holds a number without a direction")
    result = []
    for positive, negative in _MOTION_KEYS:
        if positive in found and negative in found:
            raise Wrong(f"the sentence says both {positive} and {negative}")
        result.append(found.pop(positive, 0.0) - found.pop(negative, 0.0))
    if found:
        raise Wrong(f"the sentence says {', '.join(found)}, which is no motion")
    return tuple(result)


def colors_hidden(text: str) -> list[str]:
    """Colours of the hidden mentions, in order of first appearance."""
    found = [(text.find(char), color) for color, char in HIDDEN.items() if char in text]
    return [color for _, color in sorted(found)]


def nearest_color(text: str, word: str) -> str | None:
    """Colour of the mention with the fewest characters between itself and a word."""
    middle = text.find(word)
    gaps = []
    for color, char in HIDDEN.items():
        for match in re.finditer(char, text):
            gaps.append(
                (match.start() - middle - len(word) if match.start() > middle else middle - match.start(), color)
            )
    return min(gaps)[1] if gaps and middle >= 0 else None


def asks_red_against(text: str, color: str) -> bool:
    """Whether a question asks where red is relative to another colour: the words before the reference tell.

    Notes such as "the 3D centres of both objects" hold no mentions and do not disturb.
    """
    before = (
        "relative to", "that of", "in relation to", "starting from", "with respect to", "compared with",
        "placed against",
    )  # fmt: skip
    found = re.findall(rf"\b(?:{'|'.join(before)}) {_any_hidden()}", text, re.IGNORECASE)
    return len(found) == 1 and found[0].endswith(HIDDEN[color]) and HIDDEN["red"] in text


def words_in(text: str, words: tuple[str, ...]) -> list[str]:
    """Which of some words stand in a text, in order."""
    return [word.lower() for word in re.findall(rf"\b({'|'.join(words)})\b", text, re.IGNORECASE)]


def asks_backwards(text: str) -> bool:
    """Whether a question about two views names the second one first."""
    first, second = (re.search(rf"\b{word}\b", text) for word in ("first", "second"))
    return first is not None and second is not None and second.start() < first.start()


def read_claim(text: str) -> str:
    """The one relation word that a judge question claims of red against blue.

    Raises:
        Wrong: no such claim, more than one, or with exchanged roles.
    """
    red, blue = HIDDEN["red"], HIDDEN["blue"]
    found = re.findall(
        rf"\b(left|right|above|below)(?: of)? {blue}|\b(closer|farther) (?:to|from) the observer than {blue}", text
    )
    if len(found) != 1 or not 0 <= text.find(red) < text.find(blue):
        raise Wrong("cannot read a claim about the red object against the blue one")
    claim = re.split(r"[.?]", text[text.find(blue) :])[0]
    if len(relation_words_in(text[: text.find(blue)] + claim)) != 1:
        raise Wrong("the question claims more than one relation")
    return found[0][0] or found[0][1]


def read_imagined_roles(text: str) -> tuple[str | None, str | None]:
    """Colours of the object stood at and of the object faced (None: cannot be told)."""
    stand = r"(?:centre of|middle of|take the place of|walking to|goes to)"
    face = r"(?:faces|facing|turned to|turning to|point to|eyes on|looks? at|looking towards|view towards)"
    roles = []
    for words in (stand, face):
        found = re.findall(rf"\b{words} ({_any_hidden()})", text, re.IGNORECASE)
        roles.append(next((c for c, char in HIDDEN.items() if found == [char]), None))
    return roles[0], roles[1]


def _any_hidden() -> str:
    return "[" + "".join(HIDDEN.values()) + "]"


_IRREGULAR = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice", "foot": "feet",
    "tooth": "teeth", "goose": "geese",
}  # fmt: skip


def noun_pattern(label: str) -> str:
    """A regular expression for a label in the singular or plural, whichever of its words takes the plural.

    >>> bool(re.fullmatch(noun_pattern("box of tissues"), "boxes of tissues"))
    True
    """
    words = label.split(" ")
    forms = {label}
    for k, word in enumerate(words):
        plurals = {word + "s", word + "es", _IRREGULAR.get(word, word)}
        if word.endswith("y"):
            plurals.add(word[:-1] + "ies")
        if word.endswith(("f", "fe")):
            plurals.add(word.removesuffix("e").removesuffix("f") + "ves")
        forms |= {" ".join([*words[:k], other, *words[k + 1 :]]) for other in plurals}
    return "(?:" + "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) + ")"


def asks_for_label(text: str, label: str) -> bool:
    """Whether a counting question names this label, and not a longer one that ends in it."""
    return bool(re.search(_counted_noun(label), text, re.IGNORECASE))


def _counted_noun(label: str) -> str:
    return rf"\b(?:many|the|of|different) {noun_pattern(label)}(?!\w)"


def counts_in_sentence(text: str, label: str) -> list[int]:
    """The numbers that stand right before the label in a counting sentence.

    Raises:
        Wrong: there is a number elsewhere.
    """
    pattern = re.compile(rf"(?<![\w.])(\d{{1,9}}) {noun_pattern(label)}(?!\w)", re.IGNORECASE | re.ASCII)
    if re.search(r"\d", pattern.sub("", text)):
        raise Wrong("the sentence holds a number that counts something else")
    return [int(n) for n in pattern.findall(text)]
