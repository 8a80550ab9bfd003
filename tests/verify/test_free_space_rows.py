"""Rows about free floor: what stands there, and whether the right option is the only one that shows floor."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from verify_rows import Row, one, room

from spaceland.scenes.scene import NO_OBJECT
from spaceland.verify.checker import SceneChecker
from spaceland.verify.rows import LETTERS

CHECKER = SceneChecker(room())


@pytest.fixture
def row() -> Row:
    return copy.deepcopy(one("free_space_point", "select"))


def problem(row: Row) -> str:
    return "; ".join(CHECKER.problems(row))


def test_the_object_stands_on_the_floor(row: Row) -> None:
    assert problem(row) == ""
    row["facts"]["params"]["max_beside_lift_m"] = -0.1
    assert "lowest corner is" in problem(row)
    del row["facts"]["params"]["max_beside_lift_m"]
    assert "max_beside_lift_m" in problem(row)


def test_another_option_shows_floor_too(row: Row) -> None:
    """All three wrong options become places on things, well above the floor: nobody needs to look for the side."""
    frame = room().frames_by_id[row["facts"]["frames"][0]]
    assert frame.object_ids is not None and frame.depth is not None
    ids, depth = np.asarray(frame.object_ids()), np.asarray(frame.depth())
    v, u = np.nonzero((ids != NO_OBJECT) & (depth > 0))
    local = frame.camera.unproject(np.stack([u + 0.5, v + 0.5], -1), depth[v, u].astype(float))
    high = np.flatnonzero(local @ frame.T_world_cam[2, :3] + frame.T_world_cam[2, 3] > 0.3)
    options = list(row["options"])
    for letter, k in zip([a for a in LETTERS[:4] if a != row["answer"]], high[:: len(high) // 4], strict=False):
        x, y = 1000 * (u[k] + 0.5) / ids.shape[1], 1000 * (v[k] + 0.5) / ids.shape[0]
        options[LETTERS.index(letter)] = f"({x:.0f},{y:.0f})"
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    question = "\n".join([row["question"].split("\n")[0], *lines])
    assert "the only one that shows floor" in problem({**row, "options": options, "question": question})
