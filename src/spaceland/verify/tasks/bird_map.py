"""Maps of objects seen from above."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, shown
from spaceland.verify.tasks.common import center, decimals, rounded, stored_close


def check_map(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`spatial_imagination_map_mv`: metres right of and ahead of the first camera, held level."""
    steepest = real(row.params.get("max_elevation_deg"), "facts.params.max_elevation_deg")
    if abs(solvers.angles_deg(frames[0])[1]) > steepest + solvers.EPSILON:
        raise Wrong("the first view is too steep to have a heading")
    pose = np.asarray(frames[0].T_world_cam, dtype=np.float64)
    ahead = pose[:2, 2] / math.hypot(*pose[:2, 2])
    places = []
    for role in row.rules.roles:
        offset = (center(scene, row, role) - pose[:3, 3])[:2]
        places.append((float(offset[0] * ahead[1] - offset[1] * ahead[0]), float(offset @ ahead)))
    apart = real(row.params.get("min_distance_m"), "facts.params.min_distance_m")
    if any(math.dist(a, b) < apart - solvers.EPSILON for k, a in enumerate(places) for b in places[:k]):
        raise Wrong(f"two of the objects are less than {apart:g} m apart on the map")
    derived = [v for place in places for v in place]
    for name, stored in (("facts.value", row.value), ("facts.values.map_m", row.values.get("map_m"))):
        for number, exact in zip(reals(stored, name, len(derived)), derived, strict=True):
            stored_close(name, number, exact)
    _check_legend(row)
    digits = decimals(row)
    number = rf"(-?\d{{1,4}}\.\d{{{digits}}})" if digits else r"(-?\d{1,4})"
    pattern = re.compile(rf"Object(\d) :\({number},{number}\)", re.ASCII)
    said = pattern.findall(row.answer)
    if re.search(r"\d", pattern.sub("", row.answer)) or [int(k) for k, _, _ in said] != list(range(len(places))):
        raise Wrong(f"the answer should give one place for each object in turn: {shown(row.answer)}")
    for (_, *written), place in zip(said, places, strict=True):
        for one, exact in zip(written, place, strict=True):
            if float(one) == 0 and one.startswith("-"):
                raise Wrong(f"{one} should be written without a sign")
            rounded("coordinate", float(one), exact, 10.0**-digits)


def _check_legend(row: Row) -> None:
    """Object0 is the first role's object, and so on."""
    stem = text.hide_mentions(text.stem_of(row), row)
    for k, role in enumerate(row.rules.roles):
        if f"Object{k} is {text.HIDDEN[role]}" not in stem:
            raise Wrong(f"the question does not call the {role} object Object{k}")
    if re.search(r"Object\d+ is [^\ue000-\uf8ff]", stem):
        raise Wrong("the question names more objects than there are")
