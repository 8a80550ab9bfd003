"""VSI-Bench: what four scorers make of the same replies, rows of three origins, and the real questions on ScanNet."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from rows_vsibench import gold, make_rows

import spaceland
from spaceland.benchmarks import ScoreError, baseline_predictions, find_benchmark, score_benchmark
from spaceland.benchmarks.numbers import number_words, stated_number
from spaceland.benchmarks.predictions import file_sha256, read_predictions, read_table
from spaceland.benchmarks.types import RowScore
from spaceland.benchmarks.vlmevalkit import option_letter, stated_value
from spaceland.benchmarks.vsibench import (
    DIRECTIONS,
    TASKS,
    first_token,
    lmms_eval_number,
    official_number,
    prompt,
)

PROTOCOLS = ("official", "lmms-eval", "vlmevalkit", "strict")


def _row(kind: str, truth: str, options: list[str] | None = None) -> dict[str, Any]:
    return {"id": "1", "question_type": kind, "question": "Q?", "options": options, "ground_truth": truth}


def _scores(row: dict[str, Any], reply: str) -> list[float]:
    return [score_benchmark("vsibench", [row], {"1": reply}, name, resamples=0).samples[0].score for name in PROTOCOLS]


@pytest.mark.parametrize(
    ("reply", "official", "lmms_eval", "vlmevalkit"),
    [
        ("4 chairs", 4, 4, 4),
        ("4.", 4, 4, 4),
        ("There are 4 chairs", None, 4, 4),
        ("4\nchairs", None, 4, 4),
        ("**4**", None, 4, 4),
        ("4.5m", None, 4.5, 4.5),
        ("about 3.5", None, 3.5, 3.5),
        ("four", None, 4, 4),
        ("1,200", None, 1, 200),
        ("2 or 3", 2, 2, 3),
        ("<think>x 9</think> 4", None, 9, 4),
        ("1e3", 1000, 1, 1000),
        ("1_000", 1000, 1, 0),
        (" 4", None, 4, 4),  # quirk: what stands before the first blank is empty
        ("-4.5", -4.5, -4.5, -4.5),
        ("twenty-one", None, 21, None),  # VLMEvalKit knows words up to twenty, and "twenty-one" becomes 20-1
        ("[4, 5]", None, 4, 4),
        ("[4 chairs]", None, 4, None),  # quirk: square brackets must hold a Python list
        ("[" + "4, " * 600 + "4]", None, 4, None),  # ours reads lists of at most 1,000 characters
        ("<answer> 7 chairs </answer> of 9", None, 7, 7),
        ("", None, None, None),
        ("no idea", None, None, None),
    ],
)
def test_numbers_as_scorers_read_them(
    reply: str, official: float | None, lmms_eval: float | None, vlmevalkit: float | None
) -> None:
    assert official_number(reply) == official
    assert lmms_eval_number(reply) == lmms_eval
    if reply == "twenty-one":
        vlmevalkit = -1.0
    assert stated_value(reply) == vlmevalkit


@pytest.mark.parametrize(
    ("reply", "official", "vlmevalkit", "strict"),
    [
        ("A", 1, 1, 1),
        ("a", 1, 1, 1),
        ("a.", 1, 0, 1),  # quirk: VLMEvalKit takes a small letter alone, but not before a full stop
        ("A. chair", 1, 1, 1),
        ("(A)", 0, 1, 1),
        ("The answer is A", 0, 1, 1),
        ("A\nbecause", 0, 1, 1),
        ("A,", 0, 1, 1),
        ("**A**", 0, 1, 1),
        ("the answer is a chair", 0, 1, 0),  # quirk: letters after "answer is" count in any case
        ("chair", 0, 0, 1),
        ("B", 0, 0, 0),
        ("A or B", 1, 0, 0),
        ("<think>B?</think> A", 0, 1, 1),
        ("", 0, 0, 0),
    ],
)
def test_letters_as_scorers_read_them(reply: str, official: int, vlmevalkit: int, strict: int) -> None:
    row = _row("object_rel_distance", "A", ["A. chair", "B. table", "C. bed", "D. sofa"])
    assert _scores(row, reply) == [official, official, vlmevalkit, strict]


@pytest.mark.parametrize(
    ("reply", "truth", "score"),
    [("4", "5", 0.6), ("9", "10", 0.9), ("95", "100", 1.0), ("1", "2", 0.1), ("3", "2", 0.1)],
)
def test_accuracy_carries_the_float_noise_of_the_released_thresholds(reply: str, truth: str, score: float) -> None:
    assert _scores(_row("object_counting", truth), reply) == pytest.approx([score] * 4, abs=1e-12)


@pytest.mark.parametrize(("reply", "score"), [("0", 1), ("0.3", 0.5), ("1", 0)])
def test_a_ground_truth_of_0_is_compared_by_absolute_error(reply: str, score: float) -> None:
    """The released code divides by it; what is done here instead is named."""
    assert _scores(_row("object_counting", "0"), reply)[:2] == [score] * 2
    for protocol in ("official", "lmms-eval"):
        assert (
            "divides by a ground truth of 0" in find_benchmark("vsibench").protocol(protocol).deviations["zero-target"]
        )


@pytest.mark.parametrize("reply", ["nan", "inf", "-inf", "9" * 500])
def test_what_is_no_finite_number_scores_nothing(reply: str) -> None:
    assert _scores(_row("object_counting", "4"), reply)[0] == 0


def test_strict_reads_units_words_and_the_last_number() -> None:
    size, distance, count = (
        _row(kind, truth)
        for kind, truth in (("object_size_estimation", "150"), ("object_abs_distance", "1.5"), ("object_counting", "4"))
    )
    for row, reply in (
        (size, "1.5 m"), (size, "150 cm"), (size, "about 1.5 meters"), (size, "1,500 mm"), (distance, "150 cm"),
        (distance, "1.5m"), (count, "There are four chairs"), (count, "2 or 4"), (count, "<think>9</think>\n**4**"),
    ):  # fmt: skip
        assert _scores(row, reply)[3] == 1, reply
    assert stated_number("3 meals", "m") == 3
    assert stated_number("1e3") == 1000
    assert stated_number("2 m", "cm") == 200


def test_number_words() -> None:
    assert number_words("three hundred and twenty-one chairs") == (0, 321.0)
    assert number_words("two thousand five") == (0, 2005.0)
    assert number_words("one apple, room 2") == (0, 1.0)
    assert lmms_eval_number("one apple, room 2") == 1
    assert lmms_eval_number("room 2, one apple") == 2
    assert number_words("thousand") == (0, 1000.0)
    assert lmms_eval_number("hundred " * 500) == float("inf")


def test_first_token() -> None:
    assert [first_token(reply) for reply in ("A. x", "A...", "A.\n", "A\t.", "", " A")] == ["A", "A", "A.", "A", "", ""]


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("<answer>B. chair</answer>", "B"),
        ("<answer>j</answer>", "J"),  # in tags letters go up to J
        ("<answer>B", "B"),
        ("so it must be (c) </think>", "C"),
        ("A. one\nB. two\nThe best is C", "C"),
        ("Option A: red\nOption B: blue", None),
        ("I choose \u9009\u62e9: b", "B"),
        ("final answer: (D).", "D"),
        ("A and B", None),
        ("Because", None),
        ("`E`", "E"),
        ("- **F**", "F"),
    ],
)
def test_option_letters_of_vlmevalkit(reply: str, letter: str | None) -> None:
    assert option_letter(reply) == letter


def test_direction_is_the_mean_of_its_three_parts_whatever_their_rows() -> None:
    rows, replies = [], {}
    for kind, num, right in zip(DIRECTIONS, (2, 8, 10), (2, 2, 1), strict=True):
        for k in range(num):
            rows.append(_row(kind, "A", ["A. left", "B. right"]) | {"id": f"{kind}-{k}"})
            replies[f"{kind}-{k}"] = "A" if k < right else "B"
    result = score_benchmark("vsibench", rows, replies)
    assert result.tasks == {"object_rel_direction": pytest.approx((100 + 25 + 10) / 3)}
    assert result.counts == {"object_rel_direction": 20}
    low, high = result.intervals["object_rel_direction"]
    assert low < 45 < high
    partly = score_benchmark("vsibench", rows[:10], {k: v for k, v in replies.items() if "hard" not in k})
    assert partly.overall == pytest.approx((100 + 25) / 2)
    # VLMEvalKit joins them only when all three are there.
    theirs = score_benchmark("vsibench", rows[:10], {k: v for k, v in replies.items() if "hard" not in k}, "vlmevalkit")
    assert set(theirs.tasks) == set(DIRECTIONS[:2])


def test_overall_is_the_mean_of_eight_tasks_not_of_rows() -> None:
    rows = make_rows(1000, 0)
    replies = {str(row["id"]): gold(row) if row["question_type"] == "route_planning" else "x" for row in rows}
    result = score_benchmark("vsibench", rows, replies, resamples=0)
    assert list(result.tasks) == list(TASKS)
    assert result.overall == pytest.approx(100 / 8)
    assert result.groups == {"Numerical": 0, "Multiple-choice": 25}


def test_overall_takes_direction_as_one_of_eight() -> None:
    values = {
        "object_counting": 0.2, "object_abs_distance": 0.3, "object_size_estimation": 0.4, "room_size_estimation": 0.1,
        "object_rel_distance": 0.35, "object_rel_direction_easy": 0.5, "object_rel_direction_medium": 0.3,
        "object_rel_direction_hard": 0.25, "route_planning": 0.28, "obj_appearance_order": 0.25,
    }  # fmt: skip
    rows = [{"question_type": kind} for kind in values]
    summary = find_benchmark("vsibench").protocol().summarise(rows, [RowScore(value) for value in values.values()])
    assert summary.overall == pytest.approx(100 * (0.2 + 0.3 + 0.4 + 0.1 + 0.35 + 0.35 + 0.28 + 0.25) / 8)


def test_debiased_is_what_was_not_pruned() -> None:
    rows = make_rows(200, 4)
    replies = {str(row["id"]): gold(row) for row in rows}
    kept = [row for row in rows if not row["pruned"]]
    result = score_benchmark("vsibench", rows, replies, subset="debiased", resamples=0)
    assert len(result.samples) == len(kept) == sum(result.counts.values()) < 200
    assert result.provenance["subset"] == "debiased"
    bare = [{key: value for key, value in row.items() if key != "pruned"} for row in rows]
    with pytest.raises(ScoreError, match="none of the 200 rows belongs to the subset 'debiased'"):
        score_benchmark("vsibench", bare, {}, subset="debiased")


def test_broken_rows_are_named() -> None:
    for broken, words in (
        ({"question_type": "object_smell"}, "question type 'object_smell', which VSI-Bench does not have"),
        ({"ground_truth": "many"}, "ground truth 'many', which is no number"),
        ({"question_type": "route_planning", "ground_truth": "E", "options": list("abcd")}, "'E', which is no option"),
        ({"ground_truth": None}, "has no ground_truth"),
    ):
        with pytest.raises(ScoreError, match=words):
            score_benchmark("vsibench", [_row("object_counting", "4"), _row("object_counting", "4") | broken], {})


def test_prompts_as_the_codes_word_them() -> None:
    choice = _row("object_rel_distance", "A", ["A. chair", "B. table"])
    number = _row("object_counting", "4")
    assert (
        prompt(choice)
        == prompt(choice, "lmms-eval")
        == (
            "These are frames of a video.\nQ?\nOptions:\nA. chair\nB. table\n"
            "Answer with the option's letter from the given choices directly."
        )
    )
    assert prompt(choice, "vlmevalkit").split("\n")[2] == "A. chair"
    assert prompt(number).endswith("\nPlease answer the question using a single word or phrase.")
    assert prompt(number, "vlmevalkit").endswith("\nAnswer briefly and directly in one float number.")


def test_rows_of_ours_are_scored_and_others_are_counted() -> None:
    scene = spaceland.open_scene("rooms:7")
    asked = spaceland.ask(scene, ["vsi_object_rel_direction_hard", "vsi_object_abs_distance", "obj_count"], per_scene=4)
    rows = [spaceland.to_row(question) for question in asked.questions]
    ours = [row for row in rows if row["task"].startswith("vsi_")]
    assert ours
    result = score_benchmark("vsibench", rows, baseline_predictions("vsibench", "oracle", rows), "strict", resamples=0)
    assert result.overall == 100
    assert set(result.tasks) <= {"object_rel_direction", "object_abs_distance"}
    assert len(result.samples) == len(ours)
    assert sum(result.unscored.values()) == len(rows) - len(ours)
    choice = next(row for row in ours if row["format"] == "select")
    lines = prompt(choice).split("\n")
    assert [line for line in lines if line.startswith("A. ")] == [f"A. {choice['options'][0]}"]


def test_rows_may_be_a_json_list_and_predictions_anything_that_is_json(tmp_path: Path) -> None:
    rows = make_rows(5, 0)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert read_table(tmp_path / "rows.json") == rows
    lines = [{"id": 0, "prediction": 4}, {"id": 1, "prediction": None}, {"id": 2, "prediction": [1, "a"]}]
    (tmp_path / "p.json").write_text(json.dumps(lines))
    assert read_predictions(tmp_path / "p.json") == {"0": "4", "2": '[1, "a"]'}
    (tmp_path / "p.json").write_text(json.dumps([{"id": 1, "prediction": None}, {"id": 1, "prediction": "x"}]))
    with pytest.raises(ScoreError, match="two predictions for '1'"):
        read_predictions(tmp_path / "p.json")


def test_baselines() -> None:
    rows = make_rows(2000, 1)
    figures = {}
    for name in ("oracle", "random", "frequency"):
        replies = baseline_predictions("vsibench", name, rows, seed=3)
        figures[name] = score_benchmark("vsibench", rows, replies, resamples=0).tasks
    assert set(figures["oracle"].values()) == {100.0}
    assert figures["random"]["object_rel_direction"] == pytest.approx(100 * (1 / 2 + 1 / 3 + 1 / 4) / 3, abs=7)
    assert figures["random"]["route_planning"] == pytest.approx(25, abs=8)
    for task in ("object_counting", "object_abs_distance", "object_size_estimation", "room_size_estimation"):
        assert figures["frequency"][task] > figures["random"][task]


def test_command_prints_all_protocols_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from spaceland.commands.score import score

    rows = make_rows(40, 0)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [{"id": row["id"], "prediction": f"It is {gold(row)}"} for row in rows]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out, table = tmp_path / "out.json", (str(tmp_path / "rows.jsonl"),)
    assert score("vsibench", rows=table, predictions=tmp_path / "p.jsonl", protocol="all", json_path=out) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert all(name in printed for name in PROTOCOLS)
    assert "40 rows; published of VSI-Bench: full 5,131 (5,091 fewer here)" in printed
    found = json.loads(out.read_text())["protocols"]
    assert [round(found[name]["overall"], 6) for name in PROTOCOLS] == [0, 50, 100, 100]
    assert score("vsibench", rows=table, predictions=tmp_path / "p.jsonl", json_path=out) == 0
    result = json.loads(out.read_text())
    assert {"benchmark", "protocol", "overall", "tasks", "groups", "per_sample", "provenance"} <= set(result)
    source = result["provenance"]["rows_source"]
    assert source["rows"] == 40 and source["files"][0]["name"] == "rows.jsonl"
    assert source["files"][0]["sha256"] == file_sha256(tmp_path / "rows.jsonl")


@pytest.mark.real
def test_real_questions_on_scannet(real_data: Path) -> None:
    rows = read_table(real_data / "vsibench" / "questions_scannet.json")
    assert len(rows) == 2071
    oracle = score_benchmark("vsibench", rows, baseline_predictions("vsibench", "oracle", rows), resamples=0)
    assert oracle.overall == 100
    assert oracle.counts == {
        "obj_appearance_order": 390, "object_abs_distance": 347, "object_counting": 223, "object_rel_direction": 343,
        "object_rel_distance": 259, "object_size_estimation": 357, "room_size_estimation": 88, "route_planning": 64,
    }  # fmt: skip
    # A model that talks: the letter or number is there, and only some scorers find it.
    rng = random.Random(0)
    talk = {}
    for row in rows:
        answer = row["solution"].removeprefix("<answer>").removesuffix("</answer>")
        talk[str(row["problem_id"])] = rng.choice(("{}", "{}.", "The answer is {}", "**{}**", "({})")).format(answer)
    figures = [score_benchmark("vsibench", rows, talk, name, resamples=0).overall for name in PROTOCOLS]
    assert figures[2] == figures[3] == 100
    assert figures[0] is not None and figures[1] is not None
    assert 35 < figures[0] < 45
    assert 65 < figures[1] < 75
    frequency = baseline_predictions("vsibench", "frequency", rows)
    result = score_benchmark("vsibench", rows, frequency)
    assert result.overall == pytest.approx(35.29, abs=0.01)
