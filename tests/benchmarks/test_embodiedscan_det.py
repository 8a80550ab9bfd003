"""EmbodiedScan detection: VG LLM's figures with every oddity, EmbodiedScan's mAP against a plain reference, strict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows_embodiedscan_det import LABELS, gold, make_rows

from spaceland.benchmarks import ScoreError, score_benchmark
from spaceland.benchmarks.embodiedscan_ap import average_precision, thickened
from spaceland.benchmarks.embodiedscan_det import (
    BENCHMARK,
    CATE8,
    CATE20,
    CATE30,
    CATE31,
    PROMPTS,
    precision_recall_f1,
    prompt,
    row_id,
)
from spaceland.benchmarks.embodiedscan_read import Detection, official_detections, tolerant_detections

NINE = [0.0, 0, 0, 1, 1, 1, 0, 0, 0]


def box(label: str = "chair", x: float = 0.0, size: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"label": label, "bbox_3d": [x, 0.0, 0.0, size, 1.0, 1.0, 0.0, 0.0, 0.0], **more}


def row(*boxes: dict[str, Any], name: str = "a") -> dict[str, Any]:
    return {"id": name, "images": ["s/0.jpg"], "boxes": list(boxes)}


def lines(*boxes: dict[str, Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(one) for one in boxes) + "\n]"


def counts(protocol: str, reply: str | None, *true: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    return dict(BENCHMARK.protocol(protocol).score([row(*true)], [reply])[0].counts)  # type: ignore[attr-defined]


def figures(protocol: str, *pairs: tuple[dict[str, Any], str]) -> dict[str, float | None]:
    rows = [{**one, "id": str(k)} for k, (one, _) in enumerate(pairs)]
    predictions = {str(k): text for k, (_, text) in enumerate(pairs)}
    result = score_benchmark(BENCHMARK, rows, predictions, protocol, resamples=0)
    return {"overall": result.overall, **result.groups}


# VG LLM.


def test_lists_of_classes_are_as_released() -> None:
    assert (len(CATE8), len(CATE20), len(CATE31), len(CATE30)) == (8, 20, 31, 30)
    assert CATE31.count("lamp") == 2
    assert "towl" in CATE31
    assert len(set(CATE31)) == 30
    assert set(CATE30) == set(LABELS) == (set(CATE31) - {"towl"}) | {"towel"}


def test_perfect_replies_stay_below_100_for_towl() -> None:
    pairs = [(one, gold(one)) for one in make_rows(40, 0)]
    found = figures("official", *pairs)
    assert (found["cate8 F1"], found["cate20 F1"]) == (100, 100)
    assert found["overall"] == found["cate31 F1"] == pytest.approx(100 * 30 / 31)
    assert figures("vg-llm", *pairs) == found
    assert figures("strict", *pairs)["overall"] == 100


def test_lamp_counts_twice_in_cate31() -> None:
    found = figures("official", (row(box("lamp")), lines(box("lamp"))))
    assert found["cate31 F1"] == pytest.approx(100 * 2 / 31)
    assert found["cate20 F1"] == pytest.approx(100 / 20)
    assert found["cate8 F1"] == 0
    strict = figures("strict", (row(box("lamp")), lines(box("lamp"))))
    assert strict["cate31 F1"] == strict["cate20 F1"] == 100
    assert strict["cate8 F1"] is None


def test_counts_are_summed_over_rows_before_they_are_divided() -> None:
    first = (row(box(x=0), box(x=3)), lines(box(x=0)))
    second = (row(box(x=0)), lines(box(x=0), box(x=5), box(x=7)))
    found = figures("official", first, second)
    # hits 2, false 2, missed 1
    assert precision_recall_f1(2, 2, 1) == pytest.approx((1 / 2, 2 / 3, 4 / 7))
    assert found["chair F1"] == pytest.approx(400 / 7)
    assert found["cate8 precision"] == pytest.approx(50 / 8)
    assert found["cate8 recall"] == pytest.approx(200 / 3 / 8)
    assert precision_recall_f1(0, 0, 0) == (0, 0, 0)
    assert figures("strict", (row(box()), lines(box(), box("table"))))["overall"] == 100  # no table to be found


def test_exactly_a_quarter_is_no_hit() -> None:
    """A box against a quarter of itself."""
    for size, hit in ((0.25, 0), (0.2501, 1)):
        assert counts("official", lines(box(size=size)), box())["chair"] == (hit, 1 - hit, 1 - hit)
        assert counts("strict", lines(box(size=size)), box())["chair"] == (1, 0, 0)


def test_boxes_take_the_best_free_one_in_the_order_written() -> None:
    true = (box(x=0.0), box(x=0.5))
    # The first one lies between and takes the nearer true box, which the second one needed.
    said = (box(x=0.3), box(x=0.9))
    assert counts("official", lines(*said), *true)["chair"] == (1, 1, 1)
    assert counts("official", lines(*reversed(said)), *true)["chair"] == (2, 0, 0)
    assert counts("strict", lines(*said), *true)["chair"] == (2, 0, 0)
    assert counts("official", lines(box(), box()), box())["chair"] == (1, 1, 0)


@pytest.mark.parametrize(
    ("reply", "official", "strict"),
    [
        (f"```json\n{lines(box())}\n```", (1, 0, 0), (1, 0, 0)),
        (json.dumps([box()]), (0, 0, 1), (1, 0, 0)),  # a list on one line
        (json.dumps([box()], indent=1), (0, 0, 1), (1, 0, 0)),  # a list on many lines
        (json.dumps(box()), (1, 0, 0), (1, 0, 0)),
        (repr(box()), (1, 0, 0), (1, 0, 0)),
        (json.dumps(box()) + ",,,", (1, 0, 0), (1, 0, 0)),
        (json.dumps(box()) + ", " + json.dumps(box()), (0, 0, 1), (1, 1, 0)),  # a tuple
        ("1. " + json.dumps(box()), (0, 0, 1), (1, 0, 0)),
        (json.dumps(box(sure=True)), (0, 0, 1), (1, 0, 0)),  # true is no name in Python
        (json.dumps(box("Chair ")), (0, 0, 1), (1, 0, 0)),
        (lines(box())[:-30], (0, 0, 1), (0, 0, 1)),  # cut off inside the only box
        (json.dumps([box(), box(x=9)])[:-5], (0, 0, 1), (1, 0, 0)),  # cut off inside the second
        (json.dumps({"boxes": [box()]}), (0, 0, 1), (1, 0, 0)),
        ('{"label": "chair", "bbox_3d": [0, 0, 0, 1, 1, 1, 0, 0]}', (0, 1, 1), (0, 1, 1)),  # eight numbers
        ('{"label": "chair", "bbox_3d": 7}', (0, 1, 1), (0, 1, 1)),
        ('{"label": "chair", "bbox_3d": None}', (0, 1, 1), (0, 1, 1)),
        ('{"label": "chair", "bbox_3d": "here"}', (0, 0, 1), (0, 1, 1)),  # of words: passed over
        ('{"label": "chair", "bbox_3d": ["0", "0", "0", "1", "1", "1", "0", "0", "0"]}', (1, 0, 0), (0, 1, 1)),
        ('{"label": "chair", "bbox_3d": [0, 0, 0, -1, 1, 1, 0, 0, 0]}', (1, 0, 0), (0, 1, 1)),  # inside out
        ('{"label": "chair"}', (0, 0, 1), (0, 0, 1)),
        ('{"label": 5, "bbox_3d": [0, 0, 0, 1, 1, 1, 0, 0, 0]}', (0, 0, 1), (0, 0, 1)),
        ("no label here", (0, 0, 1), (0, 0, 1)),
        ("", (0, 0, 1), (0, 0, 1)),
        (None, (0, 0, 1), (0, 0, 1)),
    ],
)  # fmt: skip
def test_what_is_read(reply: str | None, official: tuple[int, int, int], strict: tuple[int, int, int]) -> None:
    assert counts("official", reply, box())["chair"] == official
    assert counts("strict", reply, box())["chair"] == strict


def test_thin_boxes_overlap_nothing() -> None:
    thin = {"label": "picture", "bbox_3d": [0, 0, 0, 1, 0.01, 0.019, 0, 0, 0]}
    assert counts("official", lines(thin), thin)["picture"] == (0, 1, 1)
    assert counts("strict", lines(thin), thin)["picture"] == (1, 0, 0)


def test_angles_are_turns_about_the_box_s_own_axes() -> None:
    """A 45 degree turn about z of a unit cube leaves an octagon: (2 sqrt 2 - 2) / (4 - 2 sqrt 2) = 0.7071."""
    turned = {"label": "chair", "bbox_3d": [0, 0, 0, 1, 1, 1, np.pi / 4, 0, 0]}
    assert figures("embodiedscan", (row(box()), lines(turned)))["mAP@0.5"] == 100
    long = {"label": "chair", "bbox_3d": [0, 0, 0, 4, 0.4, 0.4, 0.0, 0, 0]}
    across = {"label": "chair", "bbox_3d": [0, 0, 0, 4, 0.4, 0.4, np.pi / 2, 0, 0]}
    assert counts("official", lines(long), across)["chair"] == (0, 1, 1)
    assert counts("official", lines(long), {**across, "bbox_3d": [0, 0, 0, 4, 0.4, 0.4, np.pi, 0, 0]})["chair"][0] == 1


# EmbodiedScan.


def reference_ap(hits: list[bool], num_true: int) -> float:
    """Area under the curve of the best precision at each recall or beyond, point by point."""
    points = [(sum(hits[: k + 1]) / num_true, sum(hits[: k + 1]) / (k + 1)) for k in range(len(hits))]
    area, last = 0.0, 0.0
    for recall, _ in points:
        area += (recall - last) * max(p for r, p in points if r >= recall)
        last = recall
    return area


def test_average_precision() -> None:
    assert average_precision([0.9, 0.8, 0.7], [True, False, True], 2) == pytest.approx(
        (0.5 + 0.5 * 2 / 3, 1.0), abs=1e-7
    )
    assert average_precision([], [], 3) == (0, 0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        hits = rng.integers(0, 2, int(rng.integers(1, 12))).astype(bool).tolist()
        confidences = rng.permutation(len(hits)).astype(float)
        ordered = [hits[k] for k in np.argsort(-confidences)]
        num_true = sum(hits) + int(rng.integers(1, 4))
        assert average_precision(confidences, hits, num_true)[0] == pytest.approx(
            reference_ap(ordered, num_true), abs=1e-6
        )
    # All equally sure: one point, precision times recall.
    assert average_precision([1, 1, 1], [False, True, True], 4)[0] == pytest.approx(2 / 3 * 0.5)


def test_map_and_mar() -> None:
    scene = row(box(x=0), box(x=3), box("table", x=6), box("lamp", x=9))
    said = lines(
        box(x=0, score=0.9), box(x=20, score=0.8), box(x=3, score=0.7), box("table", x=6.7, score=0.5),
        box("bed", score=1),
    )  # fmt: skip
    found = figures("embodiedscan", (scene, said))
    # chair 0.8333; table overlaps by 0.3 / 1.7 and misses; lamp was not predicted; bed has no true box and is left out.
    assert found["chair AP@0.25"] == pytest.approx(100 * (0.5 + 0.5 * 2 / 3), abs=1e-4)
    assert found["overall"] == found["mAP@0.25"] == pytest.approx(100 * (0.5 + 0.5 * 2 / 3) / 3, abs=1e-4)
    assert found["mAR@0.25"] == pytest.approx(100 / 3)
    assert "bed AP@0.25" not in found


def test_a_detection_is_compared_with_its_best_box_only() -> None:
    """Both overlap the true box at 0 most, so the second is a false alarm, though the box at 0.5 is free."""
    scene, said = row(box(x=0.0), box(x=0.5)), lines(box(x=0.1, score=0.9), box(x=0.2, score=0.8))
    assert figures("embodiedscan", (scene, said))["mAR@0.25"] == 50
    assert counts("official", said, *scene["boxes"])["chair"] == (2, 0, 0)


def test_thin_predictions_are_thickened() -> None:
    assert thickened(Detection("a", (0, 0, 0, 1, 0.01, 0.019, 0, 0, 0))).box == (0, 0, 0, 1, 0.02, 0.02, 0, 0, 0)
    assert thickened(Detection("a", (0, 0, 0, 1, 0.01, 0.021, 0, 0, 0))).box == (0, 0, 0, 1, 0.01, 0.021, 0, 0, 0)
    assert thickened(Detection("a", None)).box is None


def test_confidence_is_read_where_it_is_stated() -> None:
    found = tolerant_detections(lines(box(score=0.3), box(confidence=0.4), box(), box(score="high")))
    assert [one.confidence for one in found] == [0.3, 0.4, 1.0, 0.0]
    assert [one.confidence for one in official_detections(lines(box(score=0.3)))] == [1.0]


def test_splits_of_classes(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text(json.dumps({"head": ["chair", "sofa"], "tail": ["harp"]}))
    assert BENCHMARK.complete is not None
    rows = BENCHMARK.complete([row(box(), box("table", x=3))], {"classes": tmp_path / "classes.json"})
    result = score_benchmark(BENCHMARK, rows, {"a": lines(box())}, "embodiedscan", resamples=0)
    assert (result.overall, result.groups["head mAP@0.25"], result.groups["tail mAP@0.5"]) == (50, 100, None)
    (tmp_path / "classes.json").write_text("[1]")
    with pytest.raises(ScoreError, match="a list of labels for every split"):
        BENCHMARK.complete([], {"classes": tmp_path / "classes.json"})


# Rows.


def test_rows_and_prompts() -> None:
    assert set(PROMPTS) == {protocol.name for protocol in BENCHMARK.protocols}
    released = make_rows(1, 0)[0]
    assert row_id(released) == "scannet/posed_images/scene0000_00/00000.jpg|4"
    assert prompt(released, "official") == "\n\n\n\nDetect the 3D bounding boxes."
    bare = prompt({"images": ["a", "b"], "boxes": []}, "vg-llm")
    assert bare == (
        "\n\nDetect the 3D bounding boxes in the camera coordinate system of the first frame.\n"
        'Output a json list where each entry contains the object name in "label" and its 3D bounding box in '
        '"bbox_3d".\n'
        "The 3D bounding box format should be [x_center, y_center, z_center, x_size, y_size, z_size, yaw, roll, pitch]."
    )
    for broken, said in (
        ({"boxes": []}, "has neither an id nor images"),
        ({"id": 1}, "has no list 'boxes'"),
        ({"id": 1, "boxes": [{}]}, "without a label"),
        ({"id": 1, "boxes": [{"label": "a", "bbox_3d": [1]}]}, "must be a list of 9 finite numbers"),
    ):
        with pytest.raises(ScoreError, match=said):
            score_benchmark(BENCHMARK, [broken], {})


def test_nothing_there_and_nothing_said_is_right() -> None:
    for protocol in BENCHMARK.protocols:
        assert protocol.score([row()], ["[]"])[0].score == 1
        assert protocol.score([row()], [None])[0].score == 0
        assert protocol.summarise([], []).overall is None
