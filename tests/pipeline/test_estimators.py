"""Another estimator in the place of structure from motion, and numbers that outlast a scene that is scaled anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import SourceError
from spaceland.files import encode_png, write_bytes
from spaceland.geometry.transforms import from_rotation_translation, rotation_between
from spaceland.objects.masks_rle import encode_rle
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.estimators import ESTIMATORS, pose_estimator
from spaceland.pipeline.run import Prepared, prepare
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, Progress
from spaceland.scenes.scene import Scene

UNITS_PER_METRE = 0.4
NUM_FRAMES = 8
TILT = from_rotation_translation(
    rotation_between(np.array([0.0, 0.0, 1.0]), np.array([0.1, -0.85, -0.5])), np.array([0.3, -1.0, 2.0])
)


@dataclass(frozen=True, eq=False)
class Known:
    """What a perfect feed-forward model would say of the room, in a tilted world of another unit."""

    room: Scene
    name: str = "known"

    def estimate(self, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """The room's poses and depth."""
        views = []
        for image, frame in zip(images, self.room.frames, strict=True):
            T = TILT @ frame.T_world_cam
            T[:3, 3] *= UNITS_PER_METRE
            assert frame.depth is not None
            depth = UNITS_PER_METRE * frame.depth()
            views.append(EstimatedView(image.id, frame.camera, T, depth, frame.depth_camera))
        return Estimate(tuple(views), None, False, "unknown", report={"estimator": self.name})


@pytest.fixture
def photos(room: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plain pictures of the room, its things as masks with numbers by score, and an estimator that knows the room."""
    for module in ("cv2", "pycolmap", "open3d"):
        pytest.importorskip(module, reason="reconstruction needs the extra recon")
    room = replace(room, frames=room.frames[:NUM_FRAMES])
    monkeypatch.setitem(ESTIMATORS, "known", lambda config: Known(room))
    for k, frame in enumerate(room.frames):
        write_bytes(tmp_path / f"photos/{k:03d}.png", encode_png(frame.color()))
    return tmp_path / "photos"


def write_masks(room: Scene, path: Path, seed: int, leave_out: int | None = None) -> str:
    """Masks of the room's things, with scores (which decide the first numbers) in an order of chance."""
    scores = np.random.default_rng(seed).permutation(len(room.objects)) / len(room.objects)
    entries = []
    for k, frame in enumerate(room.frames[:NUM_FRAMES]):
        assert frame.object_ids is not None
        ids = frame.object_ids()
        for score, thing in zip(scores, room.objects, strict=True):
            if thing.id != leave_out and (ids == thing.id).sum() > 60:
                mask = encode_rle(ids == thing.id)
                entry = {"frame_id": f"{k:03d}", "label": thing.label, "score": float(score), "segmentation": mask}
                entries.append(entry)
    path.write_text(json.dumps(entries))
    return f"masks:{path}"


def places(made: Prepared) -> dict[int, np.ndarray]:
    return {thing.id: thing.box.center for thing in made.scene.objects}


def to_base(made: Prepared, center: np.ndarray) -> np.ndarray:
    """A place in the estimate's own world."""
    record = made.scene.provenance["reconstruction"]
    assert isinstance(record, dict)
    return (np.linalg.inv(np.array(record["T_scene_source"])) @ [*center, 1.0])[:3]


def test_an_estimator_with_depth_leaves_the_stage_depth_out(room: Scene, photos: Path, tmp_path: Path) -> None:
    config = PipelineConfig(poses="known", keyframe_method="uniform", objects="none", scale="camera-height=1.5")
    made = prepare(str(photos), tmp_path / "work", config)
    assert [stage.name for stage in made.stages] == ["keyframes", "poses", "scene"]
    assert len(made.scene.frames) == NUM_FRAMES and made.scene.geometry == "estimated" and made.scene.scale_known
    assert not (tmp_path / "work/depth").exists()
    # The cameras stand to each other as they did, whatever the world and the unit of the estimate.
    centres = [np.array([f.T_world_cam[:3, 3] for f in s.frames[:NUM_FRAMES]]) for s in (made.scene, room)]
    ours, theirs = (np.linalg.norm(c[:, None] - c[None], axis=-1) for c in centres)
    ratio = ours[theirs > 0.1] / theirs[theirs > 0.1]
    assert ratio.std() < 1e-6
    for frame, true in zip(made.scene.frames, room.frames[:NUM_FRAMES], strict=True):
        assert frame.depth is not None and true.depth is not None
        known = true.depth() > 0
        assert np.allclose(frame.depth()[known] / true.depth()[known], ratio.mean(), rtol=1e-4)
    again = prepare(str(photos), tmp_path / "work", replace(config, depth="mono:some/model"))
    assert not any(stage.made_now for stage in again.stages)
    assert again.notes[-1] == "--depth mono:some/model is not used: the estimator of the poses gives depth"


def test_things_found_again_keep_their_numbers_also_in_a_scene_of_another_scale(
    room: Scene, photos: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    first = PipelineConfig(poses="known", keyframe_method="uniform", objects=write_masks(room, tmp_path / "a.json", 1))
    a = prepare(str(photos), work, first)
    assert not a.scene.scale_known and sorted(places(a)) == list(range(len(a.scene.objects)))
    gone = next(thing for thing in room.objects if thing.label == a.scene.objects[0].label)

    # Another finder, a length that doubles the world, and one thing less.
    other = write_masks(room, tmp_path / "b.json", 2, leave_out=gone.id)
    b = prepare(str(photos), work, replace(first, objects=other, scale="camera-height=3"))
    assert [stage.made_now for stage in b.stages] == [False, False, True, True]
    assert b.scene.scale_known and not [note for note in b.notes if "numbers" in note]
    old, new = places(a), places(b)
    assert 4 <= len(new) < len(old) and set(new) < set(old)
    for number, center in new.items():
        assert np.linalg.norm(to_base(a, old[number]) - to_base(b, center)) < 0.2 * UNITS_PER_METRE


@pytest.mark.heavy
def test_numbers_start_anew_where_nothing_says_where_things_were(room: Scene, photos: Path, tmp_path: Path) -> None:
    masks = write_masks(room, tmp_path / "a.json", 1)
    config = PipelineConfig(poses="known", keyframe_method="uniform", objects=masks)
    prepare(str(photos), tmp_path / "work", config)
    made = prepare(str(photos), tmp_path / "work", replace(config, focal_px=700.0))  # poses in a world of their own
    assert [stage.made_now for stage in made.stages] == [False, True, True, True]
    assert any("numbers start anew" in note for note in made.notes)
    assert sorted(places(made)) == list(range(len(made.scene.objects)))


def test_numbers_of_the_users_masks_stay(recording: tuple[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("open3d", reason="fusing needs the extra recon", exc_type=ImportError)
    source, masks = recording
    config = PipelineConfig(objects="none", max_frames=6)
    prepare(source, tmp_path, config)
    made = prepare(source, tmp_path, replace(config, objects=f"masks:{masks}"))
    labels = json.loads((masks / "labels.json").read_text())
    assert all(labels[str(thing.id)] == thing.label for thing in made.scene.objects)
    before = {thing.id: thing.label for thing in made.scene.objects}
    # The same masks by way of another finder: things keep the numbers of the masks.
    again = prepare(source, tmp_path, replace(config, objects=f"masks:{masks}"), redo="objects")
    assert {thing.id: thing.label for thing in again.scene.objects} == before


def test_unknown_estimators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PipelineConfig()
    assert pose_estimator(config).name == "sfm"
    with pytest.raises(SourceError, match="poses 'dust3r' is unknown; known are: sfm"):
        replace(config, poses="dust3r")
