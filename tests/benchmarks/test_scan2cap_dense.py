"""Dense captioning: assignment, F1, the released script's faults and DCmAP, in cases done by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows_scan2cap_dense import gold, make_rows

from spaceland.benchmarks import dense_rule
from spaceland.benchmarks.box_overlap import aligned_giou, aligned_iou, scan2cap_giou
from spaceland.benchmarks.dense_captions import (
    Candidate,
    assigned,
    caption_precision,
    captioned_boxes,
    compared_object,
    mean_caption_precision,
)
from spaceland.benchmarks.scan2cap_dense import BENCHMARK
from spaceland.benchmarks.scan2cap_scenes import complete, problem_of, scenes_from_scanrefer
from spaceland.benchmarks.score import score_benchmark
from spaceland.benchmarks.text import java

PROTOCOLS = tuple(protocol.name for protocol in BENCHMARK.protocols)
UNIT = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]


@pytest.fixture(autouse=True)
def _without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR takes seconds to start; where a test is about it, it has a stand-in."""
    monkeypatch.setattr(java, "java_package", lambda: None)


def _figures(protocol: str, rows: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, float | None]:
    given = {scene: json.dumps(found) for scene, found in said.items()}
    return score_benchmark(BENCHMARK, rows, given, protocol, resamples=0).groups


def _gold(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["scene_id"]: json.loads(gold(row)) for row in rows}


def _moved(entry: dict[str, Any], shift: float) -> dict[str, Any]:
    return entry | {"box": [entry["box"][0] + shift, *entry["box"][1:]]}


def test_generalised_iou_by_hand() -> None:
    half_off, beside, apart = ([x, 0, 0, 1, 1, 1] for x in (0.5, 1, 3))
    found = aligned_giou(np.array([UNIT]), np.array([UNIT, half_off, beside, apart]))
    # Overlap 1/3 without waste; touching fills all; of the box of 4 around the last pair half is empty.
    assert found[0] == pytest.approx([1, 1 / 3, 0, -0.5])
    # The released script sees no overlap: volumes over the box around both, less 1.
    assert scan2cap_giou(np.array([UNIT]), np.array([UNIT, half_off, beside, apart]))[0] == pytest.approx(
        [1, 1 / 3, 0, -0.5]
    )
    inside = np.array([[0, 0, 0, 0.5, 1, 1]])
    assert aligned_giou(np.array([UNIT]), inside)[0, 0] == pytest.approx(0.5)
    assert scan2cap_giou(np.array([UNIT]), inside)[0, 0] == pytest.approx(0.5)
    # They part where the box around both has room to spare: diagonal neighbours overlap by 1/8 of 15/8, in 27/8.
    corner = np.array([[0.5, 0.5, 0.5, 1, 1, 1]])
    assert aligned_giou(np.array([UNIT]), corner)[0, 0] == pytest.approx(1 / 15 - (1 - 15 / 27))
    assert scan2cap_giou(np.array([UNIT]), corner)[0, 0] == pytest.approx(16 / 27 - 1)
    point = np.array([[0, 0, 0, 0, 0, 0]])
    assert aligned_giou(point, point)[0, 0] == -1 and scan2cap_giou(point, point)[0, 0] == 0


def test_generalised_iou_holds_its_bounds() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.concatenate([rng.uniform(-2, 2, (50, 3)), rng.uniform(0.1, 3, (50, 3))], 1) for _ in range(2))
    found, iou = aligned_giou(a, b), aligned_iou(a, b)
    assert (found <= iou + 1e-12).all() and (found > -1).all()
    np.testing.assert_allclose(aligned_giou(b, a).T, found)


def test_assignment_takes_the_largest_sum() -> None:
    table = np.array([[0.7, 0.45], [0.45, 0.1]])
    assert assigned(table, rest_to_first=False) == [1, 0]
    few = np.array([[0.1, 0.9, 0.2]])
    assert assigned(few, rest_to_first=False) == [None, 0, None]
    assert assigned(few, rest_to_first=True) == [0, 0, 0]
    assert assigned(np.zeros((0, 2)), rest_to_first=True) == [None, None]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_gold_has_the_greatest_f1_at_every_threshold(protocol: str) -> None:
    rows = make_rows(6, 1)
    figures = _figures(protocol, rows, _gold(rows))
    for kind in ("F1", "precision", "recall"):
        for least in ("0", "0.25", "0.5"):
            assert figures[f"CIDEr {kind}@{least}"] == pytest.approx(1000)
            assert figures[f"BLEU-4 {kind}@{least}"] == pytest.approx(100)
            assert figures[f"ROUGE-L {kind}@{least}"] == pytest.approx(100)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_false_boxes_cost_precision_and_missed_objects_recall(protocol: str) -> None:
    rows = make_rows(6, 2)
    num_true = sum(len(row["objects"]) for row in rows)
    said = _gold(rows)
    for found in said.values():
        found.append({"box": [90, 90, 90, 1, 1, 1], "caption": "nothing at all"})
    figures = _figures(protocol, rows, said)
    precision, recall = num_true / (num_true + 6), 1.0
    assert figures["CIDEr precision@0.5"] == pytest.approx(1000 * precision)
    assert figures["CIDEr recall@0.5"] == pytest.approx(1000)
    assert figures["CIDEr F1@0.5"] == pytest.approx(1000 * 2 * precision * recall / (precision + recall))
    # A scene without a reply: its objects are missed.
    left = {scene: found for scene, found in _gold(rows).items() if scene != rows[0]["scene_id"]}
    missed = len(rows[0]["objects"])
    figures = _figures(protocol, rows, left)
    assert figures["BLEU-1 precision@0.5"] == pytest.approx(100)
    assert figures["BLEU-1 recall@0.5"] == pytest.approx(100 * (num_true - missed) / num_true)


def test_thresholds_of_iou() -> None:
    """Boxes moved along x by 0.2 and 0.5 of their size: IoU 2/3 and 1/3."""
    rows = make_rows(4, 3)
    for share, at_25, at_50 in ((0.2, 1000, 1000), (0.5, 1000, 0), (0.9, 0, 0)):
        said = {
            scene: [_moved(entry, share * entry["box"][3]) for entry in found] for scene, found in _gold(rows).items()
        }
        for protocol in PROTOCOLS:
            figures = _figures(protocol, rows, said)
            assert figures["CIDEr F1@0"] == pytest.approx(1000)
            assert figures["CIDEr F1@0.25"] == pytest.approx(at_25)
            assert figures["CIDEr F1@0.5"] == pytest.approx(at_50)


def test_boxes_that_do_not_touch_count_at_threshold_0_but_not_in_strict() -> None:
    rows = make_rows(3, 4)
    said = {scene: [_moved(entry, 100) for entry in found] for scene, found in _gold(rows).items()}
    assert _figures("described", rows, said)["CIDEr F1@0"] > 0
    assert _figures("strict", rows, said)["CIDEr F1@0"] == 0


def test_the_first_prediction_takes_the_rest() -> None:
    """One prediction for three objects of the same words: officially all three have its caption at threshold 0."""
    rows = make_rows(3, 5)
    scene = rows[1]
    for thing in scene["objects"]:
        thing |= {
            "descriptions": ["a black chair by the door"],
            "tokens": [["a", "black", "chair", "by", "the", "door"]],
        }
    num = len(scene["objects"])
    said = {scene["scene_id"]: [{"box": scene["objects"][0]["box"], "caption": "a black chair by the door"}]}
    total = 1 + sum(len(row["objects"]) for row in rows)
    official, described = (_figures(name, rows, said) for name in ("official", "described"))
    assert official["BLEU-1 F1@0"] == pytest.approx(100 * 2 * num / total)
    assert official["BLEU-1 precision@0"] == pytest.approx(100 * num)
    assert described["BLEU-1 F1@0"] == pytest.approx(100 * 2 / total)
    assert official["BLEU-1 F1@0.5"] == described["BLEU-1 F1@0.5"] == pytest.approx(100 * 2 / total)


def test_all_tokens_are_compared_and_sos_and_eos_once() -> None:
    rows = make_rows(2, 6)
    words = [f"w{k}" for k in range(40)]
    rows[0]["objects"][0] |= {"descriptions": [" ".join(words)], "tokens": [words]}
    said = _gold(rows)
    plain = _figures("official", rows, said)
    assert plain["BLEU-4 F1@0.5"] == pytest.approx(100)
    for found in said.values():
        for entry in found:
            entry["caption"] = f"sos {entry['caption'].upper()} eos"
    assert _figures("official", rows, said) == plain


def test_captioned_boxes_of_a_reply() -> None:
    corners = [[x, y, z] for x in (0, 2) for y in (0, 4) for z in (0, 1)]
    text = json.dumps([
        {"box": [1, 2, 3, 1, 1, 1], "caption": "a", "confidence": 0.5},
        {"box": corners, "caption": "b", "sem_prob": [1], "obj_prob": [0.25, 0.75]},
        {"box": [1, 2, 3], "caption": "no box"},
        {"box": [1, 2, 3, 1, 1, 1], "caption": 7},
        {"bbox": [1, 2, 3, 1, 1, 1], "caption": "c", "score": "high"},
    ])  # fmt: skip
    for reply in (text, f"<think>[]</think>Here:\n```json\n{text}\n```", f'{{"objects": {text}}}', text[:-1]):
        found = captioned_boxes(reply)
        assert [(one.caption, one.confidence) for one in found] == [("a", 0.5), ("b", 0.75), ("c", 0.0)]
        assert found[1].box == (1, 2, 0.5, 2, 4, 1)
    assert captioned_boxes("nothing") == captioned_boxes("[1, 2]") == []


def test_the_compared_object() -> None:
    iou, meteor = np.array([0.0, 0.8, 0.9]), np.array([0.4, 0.3, 0.5])
    assert compared_object(iou, meteor, both_must_rise=False) == 2
    assert compared_object(iou, meteor, both_must_rise=True) == 2
    # A far object with the better words hides the one at hand.
    assert compared_object(iou[:2], meteor[:2], both_must_rise=True) == 0
    assert compared_object(iou[:0], meteor[:0], both_must_rise=True) is None


def test_caption_precision_by_hand() -> None:
    """Hit, false, hit, double: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1."""
    scene = [Candidate(0.9, 0.8, 0.6, 0), Candidate(0.8, 0.05, 0.9, 1), Candidate(0.7, 0.45, 0.2, 1)]
    double = Candidate(0.6, 0.9, 0.9, 0)
    assert caption_precision([[*scene, double]], 2, 0.1, 0.1) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert caption_precision([[*reversed(scene), double]], 2, 0.1, 0.1) == pytest.approx(0.5 + 0.5 * 2 / 3)
    # Strictly above: 0.2 is no hit at METEOR 0.2, 0 none at 0.
    assert caption_precision([scene], 2, 0.1, 0.2) == pytest.approx(0.5)
    assert caption_precision([[Candidate(1.0, 1.0, 0.0, 0)]], 1, 0.1, 0.0) == 0
    assert caption_precision([scene, [Candidate(0.5, 0, 0, None)]], 4, 0.5, 0.5) == pytest.approx(0.25)
    assert caption_precision([], 3, 0.1, 0) == 0
    # Two of three IoU thresholds and one of two of METEOR are passed.
    found = mean_caption_precision([[Candidate(1.0, 0.25, 0.1, 0)]], 1, (0.1, 0.2, 0.3), (0.0, 0.2))
    assert found == pytest.approx(2 / 6)


def test_dcmap_with_meteor_and_null_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of METEOR the share of a reference's words that a caption has: 1 for gold."""
    rows = make_rows(5, 8)
    monkeypatch.setattr(dense_rule, "pair_meteors", lambda references, captions: None)
    for protocol in PROTOCOLS:
        assert _figures(protocol, rows, _gold(rows))["DCmAP"] is None

    def share(references: list[list[str]], captions: list[str]) -> list[float]:
        return [
            max(len(set(text.split()) & set(caption.split())) / len(set(text.split())) for text in texts)
            for texts, caption in zip(references, captions, strict=True)
        ]

    monkeypatch.setattr(dense_rule, "pair_meteors", share)
    said = _gold(rows)
    half = {scene: found[: len(found) // 2] for scene, found in said.items()}
    num_half, num = (sum(map(len, part.values())) for part in (half, said))
    for protocol in PROTOCOLS:
        found = _figures(protocol, rows, said)
        assert found["DCmAP"] == found["DCmAP (0.15 to 0.75)"] == pytest.approx(100)
        assert _figures(protocol, rows, half)["DCmAP"] == pytest.approx(100 * num_half / num, abs=1e-4)
        # Far from everything: no hit at any threshold.
        far = {scene: [_moved(entry, 50) for entry in part] for scene, part in said.items()}
        assert _figures(protocol, rows, far)["DCmAP"] == 0


def test_rows_from_scanrefer_and_a_side_file(tmp_path: Path) -> None:
    told = [
        {"scene_id": "scene0011_00", "object_id": name, "object_name": "chair", "description": text, "ann_id": "0"}
        for name, text in (("8", "A chair."), ("8", "Black."), ("9", "A lamp."))
    ]
    rows = scenes_from_scanrefer(told, {"scene0011_00": {"8": UNIT}})
    assert [thing.get("box") for thing in rows[0]["objects"]] == [UNIT, None]
    assert rows[0]["objects"][0]["descriptions"] == ["A chair.", "Black."]
    assert problem_of(rows[0]) == "has no box for object 9; give it as its 'box' or in a side file ('extra')"
    (tmp_path / "extra.json").write_text(json.dumps({"scene0011_00": {"objects": {"9": UNIT, "8": [9] * 6}}}))
    full = complete(rows, {"extra": tmp_path / "extra.json"})
    assert [thing["box"] for thing in full[0]["objects"]] == [UNIT, UNIT]
    assert problem_of(full[0]) is None
    assert "needs 'objects'" in str(problem_of({"scene_id": "a", "objects": []}))
    twice = {"scene_id": "a", "objects": [full[0]["objects"][0]] * 2}
    assert problem_of(twice) == "names object 8 twice"
