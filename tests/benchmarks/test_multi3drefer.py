"""Multi3DRefer: F1 with its pairing, the zero-target rule, and every deviation with its value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows_multi3drefer import gold, make_rows

from spaceland.benchmarks import ScoreError, score_benchmark
from spaceland.benchmarks.multi3drefer import BENCHMARK, PROMPTS, official_f1, prompt, row_id, strict_f1

PROTOCOLS = tuple(protocol.name for protocol in BENCHMARK.protocols)
A, B, C = [0.0, 0, 0, 1, 1, 1], [3.0, 0, 0, 1, 1, 1], [6.0, 0, 0, 1, 1, 1]


def row(*boxes: list[float], kind: str = "mt", **fields: Any) -> dict[str, Any]:
    base = {"scene_id": "scene0000_00", "object_ids": list(range(len(boxes))), "object_name": "chair", "ann_id": "0"}
    return {
        **base,
        "description": "chairs.",
        "eval_type": kind,
        "gt_bboxes": list(boxes),
        "proposals": [A, B, C],
    } | fields


def f1(protocol: str, reply: str | None, truth: dict[str, Any]) -> tuple[float | None, float | None]:
    metrics = BENCHMARK.protocol(protocol).score([truth], [reply])[0].metrics
    return metrics["f1@0.25"], metrics["f1@0.5"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Yes. <OBJ000> and <OBJ001>.", 1),
        ("Yes. <OBJ000>, <OBJ001>, and <OBJ002>.", 2 * 2 / 5),
        ("Yes. <OBJ001>.", 2 / 3),
        ("Yes. <OBJ002>.", 0),
        ("No.", 0),
    ],
)
def test_f1_of_a_description(protocol: str, reply: str, expected: float) -> None:
    assert f1(protocol, reply, row(A, B)) == pytest.approx((expected, expected))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["zt_w_d", "zt_wo_d"])
def test_nothing_to_find(protocol: str, kind: str) -> None:
    assert f1(protocol, "No.", row(kind=kind)) == (1, 1)
    assert f1(protocol, "Yes. <OBJ001>.", row(kind=kind)) == (0, 0)
    assert f1(protocol, None, row(kind=kind)) == (0, 0)
    assert f1(protocol, "", row(kind=kind)) == ((0, 0) if protocol == "strict" else (1, 1))


def test_boxes_are_stated_or_chosen() -> None:
    for protocol in ("official", "strict"):
        assert f1(protocol, json.dumps([A, B]), row(A, B, proposals=None)) == (1, 1)
        assert f1(protocol, f"One at {A} and one at {C}", row(A, B)) == (0.5, 0.5)
        assert f1(protocol, "[]", row(kind="zt_w_d", proposals=None)) == (1, 1)
    # The same box twice: two predictions, or one thing.
    assert f1("official", json.dumps([A, A]), row(A)) == pytest.approx((2 / 3, 2 / 3))
    assert f1("strict", json.dumps([A, A]), row(A)) == (1, 1)


def test_pairs_have_the_largest_sum_not_the_most_hits() -> None:
    iou = np.array([[0.7, 0.45], [0.45, 0.1]])
    assert official_f1(iou) == (1, 0)
    assert strict_f1(iou) == (1, 0.5)
    # The same with boxes: 0.8/1.2 and 0.1/1.9 on one side, 0.65/1.35 and 0.6/1.4 on the other.
    truth = [[0.0, 0, 0, 1, 1, 1], [0.55, 0, 0, 1, 1, 1]]
    said = [[0.2, 0, 0, 1, 1, 1], [-0.4, 0, 0, 1, 1, 1]]
    assert f1("official", json.dumps(said), row(*truth)) == (1, 0)
    assert f1("strict", json.dumps(said), row(*truth)) == (1, 0.5)


def test_overlaps_are_rounded_to_32_bits() -> None:
    assert official_f1(np.array([[0.2499999999]])) == (1, 0)
    assert strict_f1(np.array([[0.2499999999]])) == (0, 0)


def test_an_exact_half_is_lost_by_the_epsilon_of_m3dref_clip() -> None:
    half = [0.0, 0, 0, 1, 1, 0.5]
    assert f1("official", json.dumps([half]), row(A, kind="st_w_d")) == (1, 0)
    # Chat-Scene's 1e-8 makes it 0.499999995, which 32 bits take for 0.5.
    assert f1("chat-scene", "<OBJ000>", row(A, kind="st_w_d", proposals=[half])) == (1, 1)
    assert f1("strict", "<OBJ000>", row(A, kind="st_w_d", proposals=[half])) == (1, 1)


@pytest.mark.parametrize("protocol", ["chat-scene", "gpt4scene"])
def test_doubles_count_and_unknown_ids_vanish(protocol: str) -> None:
    one = row(A, kind="st_wo_d")
    assert f1(protocol, "<OBJ000> <OBJ000>", one) == pytest.approx((2 / 3, 2 / 3))
    assert f1("strict", "<OBJ000> <OBJ000>", one) == (1, 1)
    assert f1(protocol, "<OBJ000> <OBJ077>", one) == (1, 1)
    assert f1("strict", "<OBJ000> <OBJ077>", one) == pytest.approx((2 / 3, 2 / 3))
    assert f1(protocol, "Yes. <OBJ077>.", row(kind="zt_w_d")) == (1, 1)
    assert f1("strict", "Yes. <OBJ077>.", row(kind="zt_w_d")) == (0, 0)


def test_untuned_models_may_write_plain_numbers() -> None:
    both = row(A, B)
    assert f1("gpt4scene-base", "Objects 0 and 1.", both) == (1, 1)
    assert f1("gpt4scene-base", "Objects 0 and 1", both) == pytest.approx((2 / 3, 2 / 3))  # the 1 is cut off
    assert f1("gpt4scene-base", "0, 1, 1, 0 ", both) == (1, 1)  # each once
    assert f1("gpt4scene-base", "In Img_2 and Image 2: 0, 1 ", both) == (1, 1)
    assert f1("gpt4scene-base", "Yes, 2 of them: 0 and 1 ", both) == pytest.approx((0.8, 0.8))  # "2" is an id
    assert f1("chat-scene", "Objects 0 and 1.", both) == (0, 0)


def test_many_predictions_are_paired_as_if_padded() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        iou = rng.uniform(0, 1, (int(rng.integers(1, 9)), int(rng.integers(1, 5))))
        more = np.concatenate([iou, np.zeros((300, iou.shape[1]))])
        few, many = official_f1(iou), official_f1(more)
        total = sum(iou.shape)
        assert many == pytest.approx([value * total / (total + 300) for value in few])
    hostile = "<OBJ000>" * 20_000
    assert f1("chat-scene", hostile, row(A, B))[0] == pytest.approx(2 / 20_002)


def test_figures_are_means_over_descriptions() -> None:
    rows = make_rows(40, 1)
    replies = [gold(r) if k % 3 else "No." for k, r in enumerate(rows)]
    result = score_benchmark(
        BENCHMARK, rows, {row_id(r): text for r, text in zip(rows, replies, strict=True)}, resamples=0
    )
    right = [float(k % 3 > 0 or r["eval_type"].startswith("zt")) for k, r in enumerate(rows)]
    assert result.overall == pytest.approx(100 * np.mean(right))
    assert result.groups["zt f1@0.25"] == result.tasks["zt_w_d"] == 100
    some = [one for one, r in zip(right, rows, strict=True) if r["eval_type"] == "mt"]
    assert result.tasks["mt"] == result.groups["mt f1@0.5"] == pytest.approx(100 * np.mean(some))


def test_rows_prompts_and_side_files(tmp_path: Path) -> None:
    assert set(PROMPTS) == set(PROTOCOLS)
    assert prompt(row(A), "chat-scene") == (
        'Are there any objects fitting the description of "chairs"? If so, kindly provide the IDs for those objects.'
    )
    assert prompt(row(A, prompt="Which?"), "gpt4scene") == "Which?"
    assert prompt(row(A, prompt="Which?"), "gpt4scene-base").startswith("Which? Read")
    with pytest.raises(ScoreError, match="row 1 has the eval_type 'many' instead of one of zt_w_d"):
        score_benchmark(BENCHMARK, [row(A, kind="many")], {})
    with pytest.raises(ScoreError, match="row 1 has no gt_bboxes"):
        score_benchmark(BENCHMARK, [row(A, gt_bboxes=None)], {})
    with pytest.raises(ScoreError, match="row 1 has a box in gt_bboxes that must be a list of 6"):
        score_benchmark(BENCHMARK, [row([1.0])], {})
    released = {k: v for k, v in row(A, B).items() if k not in ("gt_bboxes", "proposals")} | {"object_ids": [4, 9]}
    (tmp_path / "extra.json").write_text(
        json.dumps({"scene0000_00": {"objects": {"4": A, "9": B}, "proposals": [C, B, A]}})
    )
    assert BENCHMARK.complete is not None
    rows = BENCHMARK.complete([released], {"extra": tmp_path / "extra.json"})
    for protocol in PROTOCOLS:
        assert f1(protocol, "Yes. <OBJ001> and <OBJ002>.", dict(rows[0])) == (1, 1)
