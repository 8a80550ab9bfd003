"""Finders by their settings: models for any label, masks on the mesh, and what decides that they run anew."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="open vocabulary needs the extra model")
pytest.importorskip("transformers", reason="open vocabulary needs the extra model")
sys.path.insert(0, str(Path(__file__).parents[1] / "objects"))  # tiny models of the real architectures
import tiny_detectors

from spaceland.errors import DependencyError, SceneError
from spaceland.objects.finder import DetectorObjectFinder
from spaceland.objects.open_vocabulary import GroundingDinoFinder
from spaceland.objects.pretrained import Weights
from spaceland.objects.sam_masks import MaskedFinder, Sam3Finder, SamMasks
from spaceland.objects.tracking import TrackingFinder
from spaceland.objects.types import Found
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.finders import COMMON_THINGS, finder_settings, make_finder
from spaceland.pipeline.run import Prepared, prepare
from spaceland.scenes.folder import read_scene
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.scene import Scene


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    makers = {"dino": tiny_detectors.grounding_dino, "sam2": tiny_detectors.sam2, "video": tiny_detectors.sam2_video}
    return {name: make(base / name) for name, make in {**makers, "sam3": tiny_detectors.sam3_video}.items()}


@pytest.fixture(scope="module")
def bare(room: Scene, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The room's pictures and mesh, without objects."""
    folder = tmp_path_factory.mktemp("bare")
    write_scene(replace(room, frames=room.frames[:6], objects=()), folder / "room")
    return f"folder:{folder}"


def same(made: Prepared, found: Found) -> None:
    assert [thing.label for thing in made.scene.objects] == [thing.label for thing in found.objects]
    for ours, theirs in zip(made.scene.objects, found.objects, strict=True):
        assert np.allclose(ours.box.center, theirs.box.center, atol=1e-5)


@pytest.mark.parametrize("kind", ["dino", "dino with masks", "dino followed", "sam3"])
def test_a_model_named_in_the_settings_is_the_model_that_looks(
    kind: str, models: dict[str, Path], bare: str, tmp_path: Path
) -> None:
    labels = ("chair", "Coffee Table")
    name = "sam3" if kind == "sam3" else "dino"
    config = PipelineConfig(objects=f"{name}:{models[name]}", find=labels)
    dino = GroundingDinoFinder(Weights(str(models["dino"])), labels)
    if kind == "dino with masks":
        config = replace(config, masks_by=f"sam2:{models['sam2']}")
        reference = DetectorObjectFinder(MaskedFinder(dino, SamMasks(Weights(str(models["sam2"])))))
    elif kind == "dino followed":
        config = replace(config, masks_by=f"follow:{models['video']}")
        reference = DetectorObjectFinder(TrackingFinder(dino, Weights(str(models["video"]))))
    elif kind == "sam3":
        reference = DetectorObjectFinder(Sam3Finder(Weights(str(models["sam3"])), labels))
    else:
        reference = DetectorObjectFinder(dino)
    made = prepare(bare, tmp_path, config)
    report = made.stages[-1].report
    assert report["finder"] == reference.name and report["frames"] == 6
    found = reference.find(read_scene(Path(bare.removeprefix("folder:")) / "room"))
    assert report["detections"] == found.report["detections"]
    same(made, found)
    assert not prepare(bare, tmp_path, config).stages[-1].made_now


def test_random_weights_do_see_something(models: dict[str, Path], bare: str) -> None:
    """Else the comparisons above would compare nothing."""
    config = PipelineConfig(objects=f"dino:{models['dino']}", find=("chair", "table"))
    found = make_finder(config).find(read_scene(Path(bare.removeprefix("folder:")) / "room"))
    assert found.report["detections"] > 0


def test_settings_and_weights_decide_whether_it_runs_anew(models: dict[str, Path]) -> None:
    config = PipelineConfig(objects=f"dino:{models['dino']}")
    settings = [finder_settings(config)]
    assert settings[0]["find"] == list(COMMON_THINGS)
    settings.append(finder_settings(replace(config, find=("chair",))))
    settings.append(finder_settings(replace(config, masks_by=f"sam2:{models['sam2']}")))
    file = models["dino"] / "notes.txt"
    file.write_text("other weights")
    settings.append(finder_settings(config))
    file.unlink()
    texts = [json.dumps(one, sort_keys=True) for one in settings]
    assert len(set(texts)) == 4 and json.dumps(finder_settings(config), sort_keys=True) == texts[0]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"objects": "dino:{sam2}"}, DependencyError, "is a 'sam2' model, expected grounding-dino"),
        ({"objects": "sam3:{dino}"}, DependencyError, "is a 'grounding-dino' model, expected sam3"),
        ({"objects": "dino:{dino}", "masks_by": "sam2:{dino}"}, DependencyError, "is a 'grounding-dino' model"),
        ({"objects": "dino:{dino}", "masks_by": "follow:{sam2}"}, DependencyError, "expected sam2_video"),
        ({"objects": "dino:/no/such/folder"}, DependencyError, "there is no folder /no/such/folder"),
        ({"objects": "dino:{dino}", "find": ("?",)}, SceneError, "no label to look for"),
        ({"find": ("chair", "sofa")}, SceneError, "does not know sofa"),
    ],
)
def test_a_wrong_model_or_label_is_told_before_the_first_stage(
    settings: dict[str, str], error: type[Exception], words: str, models: dict[str, Path], tmp_path: Path
) -> None:
    filled = {k: v.format(**models) if isinstance(v, str) else v for k, v in settings.items()}
    with pytest.raises(error, match=words):
        prepare(str(tmp_path / "no_such_video.mp4"), tmp_path, PipelineConfig(**filled))


def test_the_built_in_detector_looks_for_what_is_named(bare: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the built-in detector needs the extra detect")
    found = make_finder(PipelineConfig(objects="detector", find=("table",)))
    scene = read_scene(Path(bare.removeprefix("folder:")) / "room")
    assert {thing.label for thing in found.find(scene).objects} <= {"table"}


def test_masks_on_the_mesh_get_their_labels_from_the_folder(room: Scene, tmp_path: Path) -> None:
    source = tmp_path / "scenes/room"
    write_scene(replace(room, frames=room.frames[:2], objects=()), source)
    assert room.surface is not None and room.surface.object_ids is not None
    masks = tmp_path / "masks"
    (masks / "pred_mask").mkdir(parents=True)
    lines = []
    for number, thing in enumerate(room.objects[:3]):
        mask = room.surface.object_ids == thing.id
        (masks / f"pred_mask/{number}.txt").write_text("\n".join("1" if one else "0" for one in mask))
        lines.append(f"pred_mask/{number}.txt {5 + number} 0.9")
    (masks / f"{room.id}.txt").write_text("\n".join(lines))

    def labels() -> list[str]:
        config = PipelineConfig(objects=f"mask3d:{masks}")
        made = prepare(f"folder:{source.parent}", tmp_path / "work", config)
        assert [thing.id for thing in made.scene.objects] == [0, 1, 2]
        return [thing.label for thing in made.scene.objects]

    assert labels() == ["class 5", "class 6", "class 7"]
    (masks / "labels.json").write_text('{"5": "Chair", "7": "table"}')
    assert labels() == ["chair", "class 6", "table"]
    (masks / "labels.json").write_text('{"5": 3}')
    with pytest.raises(SceneError, match=r"labels\.json: expected"):
        labels()
