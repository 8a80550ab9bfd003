"""Scan2Cap: the IoU gate, placeholders, words and proposals of every protocol."""

from __future__ import annotations

from typing import Any

import pytest
from rows_scan2cap import gold, make_rows

from spaceland.benchmarks.scan2cap import BENCHMARK, prompt, rows_from_scanrefer
from spaceland.benchmarks.scan2cap_rows import iou_of, object_key, row_id
from spaceland.benchmarks.score import score_benchmark
from spaceland.benchmarks.types import RowScore

PROTOCOLS = tuple(protocol.name for protocol in BENCHMARK.protocols)
STRICTLY_ABOVE = ("official", "ll3da")


def _figures(protocol: str, rows: list[dict[str, Any]], replies: list[str | None]) -> dict[str, float | None]:
    rule = BENCHMARK.protocol(protocol)
    return dict(rule.summarise(rows, rule.score(rows, replies)).groups)


def _scores(protocol: str, rows: list[dict[str, Any]], replies: list[str | None]) -> list[RowScore]:
    return BENCHMARK.protocol(protocol).score(rows, replies)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_iou_of_exactly_one_half(protocol: str) -> None:
    rows = make_rows(4, 0)
    rows[0]["iou"], rows[1]["iou"] = 0.5, 0.25
    scores = _scores(protocol, rows, [gold(row) for row in rows])
    assert [score.score for score in scores[2:]] == pytest.approx([1, 1])
    assert scores[0].score == pytest.approx(0 if protocol in STRICTLY_ABOVE else 1)
    assert scores[1].score == 0
    kept = scores[1].metrics["CIDEr@0.25"]
    assert kept == pytest.approx(0 if protocol in STRICTLY_ABOVE else 10)


def test_placeholders_with_one_and_two_spaces() -> None:
    """Half of the captions fall below the threshold: BLEU and CIDEr agree, ROUGE-L does not."""
    rows = make_rows(10, 1)
    for row in rows[::2]:
        row["iou"] = 0.1
    replies: list[str | None] = [gold(row) for row in rows]
    one, two = _figures("official", rows, replies), _figures("vg-llm", rows, replies)
    for name in ("BLEU-1@0.5", "BLEU-4@0.5", "CIDEr@0.5"):
        assert one[name] == pytest.approx(two[name])
    # Two of the words of a reference, found by two words, and by two of three when the empty one counts.
    for figures, precision in ((one, 1), (two, 2 / 3)):
        recalls = [2 / (len(gold(row).split()) + 2) for row in rows[::2]]
        free = [2.44 * precision * recall / (recall + 1.44 * precision) for recall in recalls]
        assert figures["ROUGE-L@0.5"] == pytest.approx(50 + 10 * sum(free))
    assert _figures("video-3d-llm", rows, replies) == two
    assert _figures("strict", rows, replies)["ROUGE-L@0.5"] == pytest.approx(50)


def test_sos_and_eos_are_two_free_words() -> None:
    rows = make_rows(6, 2)
    wrong: list[str | None] = ["xx yy zz"] * 6
    assert _figures("strict", rows, wrong)["BLEU-1@0.5"] == pytest.approx(0, abs=1e-6)
    assert _figures("official", rows, wrong)["BLEU-1@0.5"] > 10
    assert _figures("official", rows, wrong)["CIDEr@0.5"] == pytest.approx(0)


def test_leo_leaves_out_what_was_not_answered() -> None:
    rows = make_rows(8, 3)
    replies = [gold(row) if k % 2 else None for k, row in enumerate(rows)]
    assert _figures("leo", rows, replies)["CIDEr@0.5"] == pytest.approx(1000)
    assert _figures("official", rows, replies)["CIDEr@0.5"] == pytest.approx(500)
    assert [score.score for score in _scores("leo", rows, replies)][::2] == [0, 0, 0, 0]
    assert _figures("leo", rows, [None] * 8) == {}


def test_of_several_proposals_the_last_or_the_best_counts() -> None:
    rows = make_rows(3, 4)
    first, second = dict(rows[0], proposal=0, iou=0.9), dict(rows[0], proposal=1, iou=0.6)
    table = [first, second, rows[1], rows[2]]
    assert row_id(first) == f"{object_key(rows[0])}|0"
    replies: list[str | None] = [gold(rows[0]), "something else entirely", gold(rows[1]), gold(rows[2])]
    assert _figures("ll3da", table, replies)["CIDEr@0.5"] == pytest.approx(1000)
    assert _figures("strict", table, replies)["CIDEr@0.5"] == pytest.approx(1000)
    assert _figures("official", table, replies)["CIDEr@0.5"] == pytest.approx(2000 / 3)
    assert [score.score for score in _scores("ll3da", table, replies)] == pytest.approx([1, 0, 1, 1])
    # VG-LLM takes every row as an item of its own.
    assert _figures("vg-llm", table, replies)["CIDEr@0.5"] < 760


def test_words_of_a_free_reply() -> None:
    rows = make_rows(3, 5)
    rows[0]["descriptions"] = ["This is a chair. It stands by the desk, near a wall."]
    tokens = "this is a chair . it stands by the desk , near a wall ."
    rows[0]["tokens"] = [tokens.split()]
    replies = [rows[0]["descriptions"][0], gold(rows[1]), gold(rows[2])]
    found = {name: _scores(name, rows, replies)[0].metrics["BLEU-4@0.5"] for name in PROTOCOLS}
    for name in ("official", "chat-scene", "video-3d-llm", "vg-llm", "strict"):
        assert found[name] == pytest.approx(1), name
    assert found["ll3da"] < found["leo"] < 1  # "This", "chair.", "desk," are other words; LEO sets ". " apart


def test_references_are_cut_after_thirty_tokens() -> None:
    rows = make_rows(3, 6)
    words = [f"w{k}" for k in range(40)]
    rows[0] |= {"descriptions": [" ".join(words)], "tokens": [words]}
    for name, exact in (("official", True), ("ll3da", True), ("leo", True), ("vg-llm", False), ("chat-scene", False)):
        scores = _scores(name, rows, [" ".join(words[:30]), gold(rows[1]), gold(rows[2])])
        assert (scores[0].score == pytest.approx(1)) is exact, name


def test_iou_from_boxes() -> None:
    assert iou_of({"pred_box": [0, 0, 0, 2, 2, 2], "gt_box": [1, 0, 0, 2, 2, 2]}) == pytest.approx(1 / 3)
    assert iou_of({"pred_box": [0, 0, 0, 1, 1, 1], "gt_box": [3, 0, 0, 1, 1, 1]}) == 0
    assert iou_of({"pred_box": None, "gt_box": [3, 0, 0, 1, 1, 1]}) == 0
    assert iou_of({"iou": 0.3, "pred_box": [0] * 6, "gt_box": [0] * 6}) == 0.3


def test_rows_of_scanrefer_become_objects() -> None:
    told = [
        {"scene_id": "scene0011_00", "object_id": "8", "object_name": "chair", "ann_id": str(k), "description": text}
        for k, text in enumerate(("This is a chair.", "A black chair."))
    ]
    told[0]["token"] = ["this", "is", "a", "chair", "."]  # type: ignore[assignment]
    rows = rows_from_scanrefer(told)
    assert len(rows) == 1
    assert rows[0]["tokens"] == [["this", "is", "a", "chair", "."], ["a", "black", "chair", "."]]
    assert rows[0]["iou"] == 1
    assert rows_from_scanrefer(told, {"scene0011_00|8|chair": 0.4})[0]["iou"] == 0.4
    assert rows_from_scanrefer(told, {})[0]["iou"] == 0
    assert BENCHMARK.problem_of(rows[0]) is None


def test_names_of_references_in_use() -> None:
    for name in ("descriptions", "annotations", "ref_captions"):
        row = {"id": 1, name: ["a chair"], "iou": 1.0}
        assert BENCHMARK.problem_of(row) is None
        assert row_id(row) == "1"
    assert "neither 'iou'" in str(BENCHMARK.problem_of({"id": 1, "annotations": ["a chair"]}))
    assert "needs 'descriptions'" in str(BENCHMARK.problem_of({"id": 1, "iou": 1}))


def test_prepared_rows_of_other_codes() -> None:
    chat_scene = {"qid": 4, "scene_id": "scene0011_00", "obj_id": 8, "pred_id": 3, "iou": 0.7, "prompt": "Say."}
    chat_scene["ref_captions"] = ["sos This is a chair. It is black. eos"]
    rows = [chat_scene, chat_scene | {"obj_id": 9, "ref_captions": ["sos A small table. eos"]}]
    replies = {"scene0011_00|8|": "This is a chair. It is black.", "scene0011_00|9|": "A small table."}
    result = score_benchmark(BENCHMARK, rows, replies, "chat-scene", resamples=0)
    assert result.groups["BLEU-4@0.5"] == pytest.approx(100)
    assert result.groups["CIDEr@0.5"] > 800
    # VG-LLM's rows name no object; each is one of its own.
    rows = [{"id": k, "annotations": [f"{word} thing"], "iou": 0.7} for k, word in enumerate(("red", "blue", "old"))]
    given = {"0": "red thing", "1": "blue thing", "2": "old thing"}
    for protocol in PROTOCOLS:
        result = score_benchmark(BENCHMARK, rows, given, protocol, resamples=0)
        assert [sample.score for sample in result.samples] == pytest.approx([result.samples[0].score] * 3)
        assert result.samples[0].score > 0.2


def test_prompts() -> None:
    row = make_rows(1, 0)[0]
    assert prompt(row, "video-3d-llm") == "Given an object located at <coord> , describe the object in detail."
    assert prompt(row | {"center_camera": [1, 2.346, -0.7]}, "vg-llm") == (
        "\nCarefully watch the video and describe the object located at [1.0, 2.35, -0.7] in detail."
    )
    assert "<OBJ000>" in prompt(row, "chat-scene")
    assert prompt(row | {"prompt": "Say what it is."}, "chat-scene") == "Say what it is."


def test_result_keeps_the_published_names() -> None:
    rows = make_rows(5, 7)
    replies = {row_id(row): gold(row) for row in rows}
    result = score_benchmark(BENCHMARK, rows, replies, "chat-scene", resamples=0)
    assert result.overall == result.groups["CIDEr@0.5"] == pytest.approx(1000)
    assert result.groups["BLEU-4@0.25"] == pytest.approx(100)
