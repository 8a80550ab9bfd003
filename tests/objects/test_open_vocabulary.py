"""Grounding DINO, SAM 2 and SAM 3 on tiny models with random weights: plumbing is tested, never quality."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from spaceland.errors import DependencyError, SceneError

torch = pytest.importorskip("torch", reason="open-vocabulary finders need the extra 'model'")
transformers = pytest.importorskip("transformers", reason="open-vocabulary finders need the extra 'model'")

import tiny_detectors

from spaceland.objects.finder import BatchFinder, VideoFinder
from spaceland.objects.finder import _answers as finder_answers
from spaceland.objects.open_vocabulary import (
    GroundingConfig,
    GroundingDinoFinder,
    corner_boxes,
    model_size,
    text_parts,
)
from spaceland.objects.pretrained import Weights, clean_labels, load_tokenizer, normalised
from spaceland.objects.sam_masks import MaskedFinder, Sam3Config, Sam3Finder, SamMasks, mask_box
from spaceland.objects.tracking import TrackConfig, TrackingFinder
from spaceland.objects.types import Detection

EVERYTHING = GroundingConfig(min_score=0.0, same_class_iou=1.0, any_class_iou=1.0, batch_size=2)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Weights]]:
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other
    folder = tmp_path_factory.mktemp("models")
    made = {
        "dino": tiny_detectors.grounding_dino(folder / "dino"),
        "mm dino": tiny_detectors.grounding_dino(folder / "mm", "mm-grounding-dino"),
        "sam2": tiny_detectors.sam2(folder / "sam2"),
        "sam2 video": tiny_detectors.sam2_video(folder / "sam2-video"),
        "sam3": tiny_detectors.sam3_video(folder / "sam3"),
    }
    yield {name: Weights(str(path)) for name, path in made.items()}


def _same(a: list[Detection], b: list[Detection], atol_px: float = 1e-3) -> None:
    assert [d.label for d in a] == [d.label for d in b]
    np.testing.assert_allclose([d.score for d in a], [d.score for d in b], atol=1e-5)
    np.testing.assert_allclose([d.box_px for d in a], [d.box_px for d in b], atol=atol_px)


@pytest.mark.parametrize("kind", ["dino", "mm dino"])
def test_grounding_dino_answers_in_pixels_and_labels_and_batches_equal_singles(
    models: dict[str, Weights], kind: str
) -> None:
    finder = GroundingDinoFinder(models[kind], ("Chair", "coffee_cup", "chair"), EVERYTHING)
    assert finder.labels == ("chair", "coffee cup")
    pictures = [tiny_detectors.random_picture(k) for k in range(3)] + [tiny_detectors.random_picture(9, 40, 30)]
    together = finder.detect_many(pictures)
    for picture, found in zip(pictures, together, strict=True):
        assert found
        height, width = picture.shape[:2]
        boxes = np.array([d.box_px for d in found])
        assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
        assert {d.label for d in found} <= set(finder.labels)
        _same(found, finder.detect(picture))
    _same(together[0], GroundingDinoFinder(models[kind], ("chair", "coffee cup"), EVERYTHING).detect(pictures[0]))


def test_pictures_and_boxes_are_those_of_the_models_own_processor(models: dict[str, Weights]) -> None:
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    finder = GroundingDinoFinder(models["dino"], ("chair", "table"), EVERYTHING)
    picture = tiny_detectors.random_picture(3, 64, 96)  # 64 x 96 px is what the tiny model takes: no resizing
    reference = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    own = normalised(picture, *model_size(96, 64, {"shortest_edge": 64, "longest_edge": 96}), {}, *_imagenet())
    theirs = reference(picture, return_tensors="pt")
    np.testing.assert_allclose(own, theirs["pixel_values"][0].numpy(), atol=1e-5)
    # The model asked directly, its answer read by hand.
    ids = load_tokenizer(models["dino"])("chair. table.", return_tensors="pt")
    with torch.inference_mode():
        answer = finder._model(**theirs, **ids)
    boxes = answer.pred_boxes[0].numpy()
    scores = answer.logits[0].sigmoid().numpy()[:, [1, 3]]
    found = finder.detect(picture)
    best = int(scores.max(1).argmax())
    x, y, w, h = boxes[best]
    expected = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1) * [96, 64, 96, 64]
    np.testing.assert_allclose(found[0].box_px, expected, atol=1e-3)
    assert found[0].score == pytest.approx(float(scores[best].max()), abs=1e-5)
    assert found[0].label == ("chair", "table")[int(scores[best].argmax())]


def _imagenet() -> tuple:
    from spaceland.objects.pretrained import IMAGENET_MEAN, IMAGENET_STD

    return IMAGENET_MEAN, IMAGENET_STD


def test_each_label_knows_its_tokens_and_long_lists_are_parted(models: dict[str, Weights]) -> None:
    tokenizer = load_tokenizer(models["dino"])
    labels = ("chair", "coffee cups", "table")
    (part,) = text_parts(labels, tokenizer, 32)
    assert list(part.token_ids) == tokenizer("chair. coffee cups. table.")["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(part.token_ids)
    assert [[tokens[p] for p in part.places[k]] for k in range(3)] == [["chair"], ["coffee", "cup", "##s"], ["table"]]
    short = text_parts(labels, tokenizer, 8)
    assert all(len(part.token_ids) <= 8 for part in short) and len(short) == 2
    assert sorted(k for part in short for k in part.places) == [0, 1, 2]
    with pytest.raises(DependencyError, match="use another word"):
        text_parts(("chair " * 9,), tokenizer, 8)


def test_centres_become_corners_inside_the_picture() -> None:
    boxes = np.array([[0.5, 0.5, 0.2, 0.4], [0.0, 1.0, 0.5, 0.5]])
    np.testing.assert_allclose(corner_boxes(boxes, 100, 50), [[40, 15, 60, 35], [0, 37.5, 25, 50]])


def test_half_precision_runs(models: dict[str, Weights]) -> None:
    finder = GroundingDinoFinder(Weights(models["dino"].where, dtype="bfloat16"), ("chair",), EVERYTHING)
    found = finder.detect(tiny_detectors.random_picture(0))
    assert found and np.isfinite([d.box_px for d in found]).all()


@pytest.mark.parametrize("kind", ["sam2", "sam2 video", "sam3"])
def test_sam_gives_a_mask_of_the_picture_for_each_box(models: dict[str, Weights], kind: str) -> None:
    sam = SamMasks(models[kind])
    picture = tiny_detectors.random_picture(1, 48, 80)
    boxes = np.array([[4.0, 4.0, 40.0, 30.0], [0.0, 0.0, 80.0, 48.0], [20.0, 10.0, 60.0, 40.0]])
    masks, quality = sam.masks(picture, boxes)
    assert masks.shape == (3, 48, 80) and masks.dtype == bool
    assert ((quality >= 0) & (quality <= 1)).all()
    again, _ = sam.masks(picture, boxes)
    assert (again == masks).all()
    for k in range(3):  # boxes are independent of each other
        alone, _ = sam.masks(picture, boxes[k : k + 1])
        assert (alone[0] == masks[k]).mean() > 0.999
    none, _ = sam.masks(picture, np.zeros((0, 4)))
    assert none.shape == (0, 48, 80)


def test_sam_sees_boxes_where_they_are(models: dict[str, Weights]) -> None:
    """A box goes to the model scaled to its square picture, as the model's own processor would scale it."""
    sam = SamMasks(models["sam2"])
    picture = tiny_detectors.random_picture(1, 48, 80)
    square = normalised(picture, tiny_detectors.SIDE, tiny_detectors.SIDE, {}, *_imagenet())
    box = torch.tensor([[[4 / 80, 4 / 48, 40 / 80, 30 / 48]]]) * tiny_detectors.SIDE
    with torch.inference_mode():
        answer = sam._model(pixel_values=torch.from_numpy(square)[None], input_boxes=box, multimask_output=False)
    big = torch.nn.functional.interpolate(answer.pred_masks[0], size=(48, 80), mode="bilinear", align_corners=False)
    masks, quality = sam.masks(picture, np.array([[4.0, 4.0, 40.0, 30.0]]))
    assert (masks[0] == (big[0, 0] > 0).numpy()).mean() > 0.999
    assert quality[0] == pytest.approx(float(answer.iou_scores[0, 0, 0].clamp(0, 1)), abs=1e-5)


class _Fixed:
    """Always sees the same two things."""

    name = "fixed"

    def detect(self, image: np.ndarray) -> list[Detection]:
        return [Detection("chair", 0.9, (4.0, 4.0, 30.0, 30.0)), Detection("table", 0.8, (30.0, 10.0, 60.0, 40.0))]


def test_a_finder_gets_masks(models: dict[str, Weights]) -> None:
    finder = MaskedFinder(_Fixed(), SamMasks(models["sam2"]))
    found = finder.detect(tiny_detectors.random_picture(2))
    assert [d.label for d in found] == ["chair", "table"]
    assert all(d.mask is None or d.mask.shape == (48, 64) for d in found)
    assert any(d.mask is not None for d in found)
    assert "fixed" in finder.name and "sam2" in finder.name


def test_sam3_finds_labels_with_masks(models: dict[str, Weights]) -> None:
    config = Sam3Config(min_score=0.0, any_class_iou=1.0)
    finder = Sam3Finder(models["sam3"], ("chair", "coffee cup"), config)
    picture = tiny_detectors.random_picture(0)
    found = finder.detect(picture)
    assert {d.label for d in found} == {"chair", "coffee cup"}
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    for d in found:
        x0, y0, x1, y1 = d.box_px
        assert 0 <= x0 < x1 <= 64 and 0 <= y0 < y1 <= 48
        assert d.mask is not None and d.mask.shape == (48, 64) and d.mask.any()
    _same(found, finder.detect(picture), 0.0)
    # Asked alone, a label gets the same answer.
    alone = Sam3Finder(models["sam3"], ("coffee cup",), config).detect(picture)
    _same([d for d in found if d.label == "coffee cup"], alone)


@pytest.mark.parametrize("kind", ["sam2 video", "sam3"])
def test_things_are_followed_as_in_the_models_own_whole_video_run(models: dict[str, Weights], kind: str) -> None:
    """Streaming with forgetting equals the library's own propagation over a video that is kept whole."""
    num = 18
    pictures = [tiny_detectors.random_picture(k // 3) for k in range(num)]
    tracker = TrackingFinder(_Fixed(), models[kind], TrackConfig(every=100, memory=16))
    own = list(tracker.follow(pictures))
    assert all({d.track for d in found} == {0, 1} for found in own)
    assert all([d.label for d in found] == ["chair", "table"] for found in own)

    session = tracker._session()
    video = torch.cat([tracker._pixels(p) for p in pictures])
    session.processed_frames = dict(enumerate(video))
    for k, detection in enumerate(_Fixed().detect(pictures[0])):
        corners = torch.tensor(detection.box_px).reshape(2, 2) * torch.tensor(
            [tiny_detectors.SIDE / 64, tiny_detectors.SIDE / 48]
        )
        inputs = {"point_coords": corners[None, None], "point_labels": torch.tensor([[[2, 3]]], dtype=torch.int32)}
        session.add_point_inputs(session.obj_id_to_idx(k), 0, inputs)
    session.obj_with_new_inputs = [0, 1]
    for answer in tracker._model.propagate_in_video_iterator(session, start_frame_idx=0):
        big = torch.nn.functional.interpolate(answer.pred_masks, size=(48, 64), mode="bilinear", align_corners=False)
        for d in own[answer.frame_idx]:
            assert d.mask is not None
            assert (d.mask == (big[d.track, 0] > 0).numpy()).mean() > 0.99


def test_tracks_are_numbered_capped_and_voted_for(models: dict[str, Weights]) -> None:
    pictures = [tiny_detectors.random_picture(k) for k in range(5)]
    capped = list(TrackingFinder(_Fixed(), models["sam2 video"], TrackConfig(every=2, max_tracks=1)).follow(pictures))
    assert {d.track for found in capped for d in found} == {0}
    free = list(TrackingFinder(_Fixed(), models["sam2 video"], TrackConfig(every=2)).follow(pictures))
    assert {d.track for d in free[0]} == {0, 1}
    for found in free:
        assert len({d.track for d in found}) == len(found)
        for d in found:
            assert d.mask is None or d.box_px == mask_box(d.mask)
    for found, again in zip(
        free, TrackingFinder(_Fixed(), models["sam2 video"], TrackConfig(every=2)).follow(pictures), strict=True
    ):
        _same(found, again, 0.0)


def test_a_scene_gets_the_same_from_batches_single_pictures_and_tracks(models: dict[str, Weights]) -> None:
    pictures = [tiny_detectors.random_picture(k) for k in range(5)]
    dino = GroundingDinoFinder(models["dino"], ("chair", "table"), EVERYTHING)
    tracker = TrackingFinder(_Fixed(), models["sam2 video"], TrackConfig(every=2))
    assert isinstance(dino, BatchFinder) and not isinstance(dino, VideoFinder)
    assert isinstance(tracker, VideoFinder) and not isinstance(_Fixed(), BatchFinder | VideoFinder)
    for found, picture in zip(finder_answers(dino, iter(pictures)), pictures, strict=True):
        _same(found, dino.detect(picture))
    assert [len(found) for found in finder_answers(_Fixed(), iter(pictures))] == [2] * 5
    for found, own in zip(finder_answers(tracker, iter(pictures)), tracker.follow(pictures), strict=True):
        _same(found, own)


def test_no_part_imports_torchvision(models: dict[str, Weights]) -> None:
    assert "torchvision" not in sys.modules


@pytest.mark.parametrize("picture", [np.zeros((1, 1, 3), np.uint8), np.zeros((48, 64), np.uint8)])
def test_pictures_that_cannot_be_used_are_refused(models: dict[str, Weights], picture: np.ndarray) -> None:
    with pytest.raises(SceneError, match="found a picture of"):
        GroundingDinoFinder(models["dino"], ("chair",)).detect(picture)
    with pytest.raises(SceneError, match="found a picture of"):
        SamMasks(models["sam2"]).masks(picture, np.zeros((1, 4)))


def test_labels_are_cleaned_and_none_is_refused() -> None:
    assert clean_labels(("Chair.", "a?b", "chair", " ")) == ("chair", "a b")
    with pytest.raises(SceneError, match="no label to look for"):
        clean_labels(("", "...", "?"))


def test_wrong_missing_and_damaged_weights_are_refused(models: dict[str, Weights], tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="is a 'sam2' model; labels are looked for with grounding-dino"):
        GroundingDinoFinder(models["sam2"], ("chair",))
    with pytest.raises(DependencyError, match="is a 'grounding-dino' model; masks are made with sam2"):
        SamMasks(models["dino"])
    with pytest.raises(DependencyError, match="is a 'sam2' model; things are followed with sam2_video"):
        TrackingFinder(_Fixed(), models["sam2"])
    with pytest.raises(DependencyError, match="no folder"):
        SamMasks(Weights(str(tmp_path / "gone")))
    with pytest.raises(DependencyError, match=r"has no config\.json"):
        SamMasks(Weights(str(tmp_path)))
    (tmp_path / "config.json").write_text("{ not json")
    with pytest.raises(DependencyError, match="names no model_type"):
        SamMasks(Weights(str(tmp_path)))
    with pytest.raises(DependencyError, match="dtype 'int8' is not supported"):
        Weights("x", dtype="int8")
    with pytest.raises(DependencyError, match="device 'nonsense' cannot be used"):
        SamMasks(Weights(models["sam2"].where, device="nonsense"))


def _copy(source: str, target: Path) -> Path:
    target.mkdir()
    for path in Path(source).iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_cut_and_incomplete_weights_are_refused(models: dict[str, Weights], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    cut = _copy(models["sam2"].where, tmp_path / "cut")
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(DependencyError, match="cannot be loaded as Sam2Model"):
        SamMasks(Weights(str(cut)))
    part = _copy(models["sam2"].where, tmp_path / "part")
    weights = load_file(part / "model.safetensors")
    gone = next(k for k in weights if k.startswith("mask_decoder.iou"))
    save_file({k: v for k, v in weights.items() if k != gone}, part / "model.safetensors", {"format": "pt"})
    with pytest.raises(DependencyError, match=f"lacks 1 weights of Sam2Model, such as {gone}"):
        SamMasks(Weights(str(part)))


def test_weights_without_tokenizer_are_refused(models: dict[str, Weights], tmp_path: Path) -> None:
    bare = _copy(models["dino"].where, tmp_path / "bare")
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).unlink(missing_ok=True)
    with pytest.raises(DependencyError, match="tokenizer"):
        GroundingDinoFinder(Weights(str(bare)), ("chair",))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, models: dict[str, Weights]) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DependencyError, match=r"pip install 'spaceland\[model\]'"):
        SamMasks(models["sam2"])


def test_a_download_is_announced_with_its_licence_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hub is not reached: its client is replaced by one that knows a licence and then fails."""
    import huggingface_hub

    class Info:
        card_data = MappingProxyType({"license": "apache-2.0"})

    def offline(*args: object, **kwargs: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "model_info", lambda repo, timeout: Info())
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(DependencyError, match=r"neither a folder nor can it be fetched .*no route to host"):
        SamMasks(Weights("someone/some-model"))
    assert "someone/some-model from huggingface.co, licence: apache-2.0" in capsys.readouterr().err


def test_settings_beside_the_weights_are_used(models: dict[str, Weights], tmp_path: Path) -> None:
    other = _copy(models["dino"].where, tmp_path / "other")
    settings = {"image_processor": {"size": {"shortest_edge": 32, "longest_edge": 48}, "image_mean": [0, 0, 0]}}
    (other / "preprocessor_config.json").unlink()
    (other / "processor_config.json").write_text(json.dumps(settings))
    finder = GroundingDinoFinder(Weights(str(other)), ("chair",), EVERYTHING)
    assert model_size(64, 48, finder._settings["size"]) == (43, 32)
    picture = tiny_detectors.random_picture(0)
    assert [d.score for d in finder.detect(picture)] != [
        d.score for d in GroundingDinoFinder(models["dino"], ("chair",), EVERYTHING).detect(picture)
    ]
