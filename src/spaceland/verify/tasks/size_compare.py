"""Which of two objects is larger: sizes from the scene's boxes, and the one reading that a sentence allows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spaceland.geometry.upright import lean_deg, length_width_height
from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import check_choice, check_not_stretched, stored_close

_COMPARED = {
    "height": r"taller|tall|height",
    "length": r"longer|long|length",
    "volume": r"larger|smaller|volume",
}
_MORE = re.compile(r"\b(taller|longer|larger|greater|more)\b", re.IGNORECASE)
_LESS = re.compile(r"\b(less|smaller|shorter)\b", re.IGNORECASE)


def check_size_comparison(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`size_comparison_oo`: red against blue by height, length or volume of their boxes."""
    measure = row.params.get("measure")
    if not isinstance(measure, str) or measure not in _COMPARED:
        raise Wrong(f"facts.params.measure is {shown(measure)}, expected height, length or volume")
    red, blue = (_size(row, scene.objects_by_id[row.objects[role]], measure) for role in ("red", "blue"))
    stored_close("facts.values.red_size", row.values.get("red_size"), red)
    stored_close("facts.values.blue_size", row.values.get("blue_size"), blue)
    _check_margin(row, red, blue, measure)
    for role in ("red", "blue"):
        check_not_stretched(row, scene, row.objects[role])
    winner = "red" if red > blue else "blue"
    longest = {role: max(scene.objects_by_id[row.objects[role]].box.size) for role in ("red", "blue")}
    loser = "blue" if winner == "red" else "red"
    if measure == "length" and longest[winner] <= longest[loser] + solvers.EPSILON / 10:
        raise Wrong(f"the longest side of all, {longest[loser]:.2f} m, is that of the {loser} object")
    if row.value != winner:
        raise Wrong(f"facts.value is {shown(row.value)}, derived {winner}")
    stem = text.hide_mentions(text.stem_of(row), row)
    asked = stem.split("?")[0] if row.format != "judge" else _claim(stem)
    if _measure_in(asked) != measure:
        raise Wrong(f"the question does not ask for the {measure}")
    if row.format == "judge":
        truth = (_subject(asked) == winner) == _is_more(asked)
        if row.answer != ("Yes" if truth else "No"):
            raise Wrong(f"answer is {shown(row.answer)}, the {winner} object has more {measure}")
        return
    if not _is_more(asked) or text.colors_hidden(asked) != ["red", "blue"]:
        raise Wrong("the question does not ask for the larger one of the red and the blue object")
    if row.format == "select":
        _, options = text.split_options(row)
        names = [f"{row.labels[color]} ({color} {text.shape_name('bbox')})" for color in ("red", "blue")]
        if sorted(options) != sorted(names):
            raise Wrong(f"options {shown(list(options))} are not the two marked objects")
        right = f"{row.labels[winner]} ({winner} {text.shape_name('bbox')})"
        check_choice(row, options, [k for k, option in enumerate(options) if option == right], right)
        return
    sentence = text.hide_mentions(row.answer, row)
    if _measure_in(sentence) != measure:
        raise Wrong(f"the sentence does not speak of the {measure}")
    if (_subject(sentence) == winner) != _is_more(sentence):
        raise Wrong(f"the sentence names the wrong object: the {winner} one has more {measure}")


def _size(row: Row, thing: SceneObject, measure: str) -> float:
    length, width, height = length_width_height(thing.box)
    leans_deg = lean_deg(thing.box)
    if leans_deg > real(row.params.get("max_box_tilt_deg"), "facts.params.max_box_tilt_deg") + 1e-3:
        raise Wrong(f"the box of object {thing.id} leans by {leans_deg:.1f} degrees")
    if measure == "volume":
        least = real(row.params.get("min_volume_side_m"), "facts.params.min_volume_side_m")
        if min(length, width, height) < least - solvers.EPSILON:
            raise Wrong(f"object {thing.id} is thinner than {least:g} m, too thin for a volume")
    return {"height": height, "length": length, "volume": length * width * height}[measure]


def _check_margin(row: Row, red: float, blue: float, measure: str) -> None:
    if measure == "volume":
        ratio, margin = real(row.params.get("volume_ratio"), "facts.params.volume_ratio"), 0.0
    else:
        ratio, margin = reals(row.params.get("size_tie"), "facts.params.size_tie", 2)
    if ratio <= 1 or margin < 0:
        raise Wrong(f"the limits of a tie are {ratio:g} and {margin:g}; expected more than 1 and at least 0")
    small, large = sorted((red, blue))
    if large < ratio * small - solvers.EPSILON or large - small < margin - solvers.EPSILON:
        raise Wrong(f"{red:.3f} and {blue:.3f} are too near to a tie")
    name = "volume_limit" if measure == "volume" else "size_limit"
    if large > small * real(row.params.get(name), f"facts.params.{name}") + solvers.EPSILON:
        raise Wrong(f"{large:.3f} is so much more than {small:.3f} that nobody needs to look")


def _measure_in(said: str) -> str | None:
    """The one measure that a text speaks of."""
    found = [name for name, words in _COMPARED.items() if re.search(rf"\b({words})\b", said, re.IGNORECASE)]
    # "The longer side" and "the smaller height" each belong to one measure.
    if len(found) == 2 and "volume" in found and not re.search(r"\b(larger|volume)\b", said, re.IGNORECASE):
        found.remove("volume")
    return found[0] if len(found) == 1 else None


def _claim(stem: str) -> str:
    """The words from one object to the other in a question that claims something."""
    red, blue = text.HIDDEN["red"], text.HIDDEN["blue"]
    found = re.findall(rf"({red}|{blue})( (?:is |are )?[a-z ]+ than )({red}|{blue})", stem)
    if len(found) != 1 or found[0][0] == found[0][2]:
        raise Wrong("cannot read a claim about the two objects")
    return "".join(found[0])


def _subject(said: str) -> str:
    """The colour named first; the other one may follow."""
    colors = text.colors_hidden(said)
    if not colors or len(set(colors) | {"red", "blue"}) != 2:
        raise Wrong("the text does not name the objects that are compared")
    return colors[0]


def _is_more(said: str) -> bool:
    more, less = bool(_MORE.search(said)), bool(_LESS.search(said))
    if more == less:
        raise Wrong("cannot tell whether more or less is meant")
    return more
