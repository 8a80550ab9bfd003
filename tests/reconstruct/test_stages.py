"""Stages: made once, remade when something before them changed, never when they are the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import OutputError, SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.estimate_io import read_estimate, write_estimate
from spaceland.reconstruct.stages import StageResult, forget, run_stage
from spaceland.reconstruct.types import Estimate, EstimatedView, SparsePoints


class Counting:
    """Writes a file and counts how often it was asked to."""

    def __init__(self, text: str = "x") -> None:
        self.text, self.times = text, 0

    def __call__(self, folder: Path) -> Mapping[str, object]:
        self.times += 1
        (folder / "file.txt").write_text(self.text)
        return {"text": self.text}


def chain(work: Path, first: Counting, second: Counting, budget: int = 8, **redo: bool) -> StageResult:
    a = run_stage(work, "a", {"budget": budget}, (), first)
    return run_stage(work, "b", {}, (a,), second, **redo)


def test_a_stage_is_made_once_and_again_when_something_before_it_changes(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    made = chain(tmp_path, first, second)
    assert made.made_now and made.report == {"text": "x"}
    kept = chain(tmp_path, first, second)
    assert not kept.made_now and kept.key == made.key and kept.report == made.report
    assert (first.times, second.times) == (1, 1)
    changed = chain(tmp_path, first, second, budget=16)
    assert changed.made_now and changed.key != made.key and (first.times, second.times) == (2, 2)
    chain(tmp_path, first, second, budget=16, redo=True)
    assert (first.times, second.times) == (2, 3)


def test_an_unfinished_stage_is_made_again(tmp_path: Path) -> None:
    def broken(folder: Path) -> Mapping[str, object]:
        (folder / "file.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path, "a", {}, (), broken)
    assert not (tmp_path / "a/stage.json").exists()
    good = Counting()
    assert run_stage(tmp_path, "a", {}, (), good).made_now and good.times == 1
    # A stage.json that cannot be read is as good as none.
    (tmp_path / "a/stage.json").write_text("{")
    assert run_stage(tmp_path, "a", {}, (), good).made_now and good.times == 2


def test_what_the_user_put_there_is_kept_and_later_stages_follow_it(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    chain(tmp_path, first, second)
    record = json.loads((tmp_path / "a/stage.json").read_text())
    (tmp_path / "a/stage.json").write_text(json.dumps({**record, "made_by": "me"}))
    (tmp_path / "a/file.txt").write_text("my own result")
    mine = chain(tmp_path, first, second, budget=99)
    assert mine.made_now and (first.times, second.times) == (1, 2)
    assert (tmp_path / "a/file.txt").read_text() == "my own result"
    assert not chain(tmp_path, first, second, budget=99).made_now
    (tmp_path / "a/file.txt").write_text("changed once more")
    assert chain(tmp_path, first, second).made_now and first.times == 1


def test_a_stage_that_lost_or_changed_a_file_is_not_built_upon(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    chain(tmp_path, first, second)
    (tmp_path / "a/notes.txt").write_text("somebody's file, no part of the stage")
    chain(tmp_path, first, second)
    (tmp_path / "a/file.txt").write_text("cut")
    with pytest.raises(SceneError, match=r"1 of 1 files of the stage 'a' are missing or changed \(file.txt\); delete"):
        chain(tmp_path, first, second)
    (tmp_path / "a/file.txt").unlink()
    with pytest.raises(SceneError, match="set made_by"):
        chain(tmp_path, first, second)
    assert run_stage(tmp_path, "a", {"budget": 8}, (), first, redo=True).made_now
    chain(tmp_path, first, second)
    assert (first.times, second.times) == (2, 1)


def test_stages_are_forgotten_but_not_the_users(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    chain(tmp_path, first, second)
    record = json.loads((tmp_path / "a/stage.json").read_text())
    (tmp_path / "a/stage.json").write_text(json.dumps({**record, "made_by": "me"}))
    forget(tmp_path, ("a", "b", "never made"))
    assert (tmp_path / "a/stage.json").exists() and not (tmp_path / "b/stage.json").exists()


def test_a_work_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file in the way")
    with pytest.raises(OutputError, match="cannot write"):
        run_stage(tmp_path, "a", {}, (), Counting())


def estimate() -> Estimate:
    rng = np.random.default_rng(0)
    camera = PinholeCamera(8, 6, 7.5, 7.25, 4.0, 3.0)
    pose = np.eye(4)
    pose[:3, 3] = 0.1, -2.0, 3.5
    depth = rng.uniform(0, 4, (3, 4)).astype(np.float32)
    views = (
        EstimatedView("000000", camera, pose, depth, camera.scaled(4, 3), np.round(rng.random((3, 4)) * 255) / 255),
        EstimatedView("000007", camera, np.eye(4)),
    )
    points = SparsePoints(
        rng.normal(size=(5, 3)),
        rng.integers(0, 255, (5, 3)).astype(np.uint8),
        np.array([0, 1]),
        np.array([4, 4]),
        np.array([[1.5, 2.0], [3.0, 4.5]]),
    )
    return Estimate(views, points, False, "unknown", {"000003": "too few matches"}, {"registered": 0.66})


def test_estimates_come_back_equal(tmp_path: Path) -> None:
    made = estimate()
    write_estimate(made, tmp_path)
    found = read_estimate(tmp_path)
    assert [view.id for view in found.views] == ["000000", "000007"] and found.views[1].depth is None
    for a, b in zip(made.views, found.views, strict=True):
        assert a.camera == b.camera and a.depth_camera == b.depth_camera
        assert np.array_equal(a.T_world_cam, b.T_world_cam)
    assert np.array_equal(made.views[0].depth, found.views[0].depth)
    assert np.allclose(made.views[0].confidence, found.views[0].confidence, atol=1e-6)
    for name in ("xyz", "rgb", "view", "point", "pixel"):
        assert np.array_equal(getattr(made.points, name), getattr(found.points, name))
    assert (found.metric, found.lost, found.report) == (False, made.lost, made.report)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"views": [{"id": "x"}]}, "not an estimate"),
        ({"views": [{"id": "x", "camera": [1, 1, 1, 1, 0, 0], "T_world_cam": [[0]]}]}, "finite 4x4"),
        ({"views": [{"id": "../../up", "camera": [8, 6, 7, 7, 4, 3], "T_world_cam": np.eye(4).tolist(),
                     "depth": "../../secret.npz"}]}, "missing file"),
    ],
)  # fmt: skip
def test_damaged_estimates_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    write_estimate(estimate(), tmp_path)
    data = json.loads((tmp_path / "estimate.json").read_text())
    (tmp_path / "estimate.json").write_text(json.dumps({**data, **change}))
    with pytest.raises(SceneError, match=words):
        read_estimate(tmp_path)
