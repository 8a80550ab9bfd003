"""SPAR-Bench scores: the official scorer to the last digit, its faults by name, and the strict rules beside them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spaceland.benchmarks import ScoreError, find_benchmark, score_benchmark
from spaceland.benchmarks import baseline_predictions as baseline_of
from spaceland.benchmarks.numbers import THRESHOLDS, mean_relative_accuracy, stated_number, unsigned_numbers
from spaceland.benchmarks.replies import strict_choice, strict_number
from spaceland.benchmarks.said_letter import stated_letter
from spaceland.benchmarks.sparbench import HIGH, LOW, MIDDLE, MIDDLE_BUG, TASKS, prompt
from spaceland.benchmarks.sparbench_rules import (
    box_score,
    exact_score,
    official_choice,
    official_motion,
    official_number,
    strict_motion,
    vlmevalkit_motion,
)
from spaceland.benchmarks.types import RowScore

MOTION = "move_right:0.4,move_up:0.4,move_forward:2.4,rotate_up:5,rotate_right:60"


def make_rows(num: int = 40) -> list[dict[str, Any]]:
    """Rows of all 20 tasks with random answers, as SPAR-Bench has them."""
    rng = random.Random(0)
    rows: list[dict[str, Any]] = []
    for task in TASKS:
        for k in range(num):
            row: dict[str, Any] = {"id": f"{task}-{k}", "task": task}
            if task in LOW:
                row |= {"format": "fill", "answer": f"{rng.uniform(0.3, 6):.1f}"}
            elif task == "view_change_infer":
                row |= {"format": "fill", "answer": MOTION.replace("60", str(5 * rng.randint(1, 20)))}
            else:
                row |= {"format": "select", "answer": rng.choice("ABCD"), "options": list("wxyz")}
            rows.append(row)
    return rows


def gold(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["id"]: row["answer"] for row in rows}


def _baseline(name: str, rows: list[dict[str, Any]], seed: int = 0) -> dict[str, str]:
    return baseline_of("sparbench", name, rows, seed)


def test_there_are_twenty_tasks() -> None:
    assert (len(LOW), len(MIDDLE), len(HIGH), len(set(TASKS))) == (8, 3, 9, 20)


def test_ten_thresholds() -> None:
    assert len(THRESHOLDS) == 10
    assert THRESHOLDS[-1] == 0.95


@pytest.mark.parametrize(
    ("prediction", "target", "score"),
    [(1.6, 1.5, 0.9), (2.1, 1.5, 0.2), (1.95, 1.5, 0.5), (4, 5, 0.6), (9, 10, 0.9), (95, 100, 1.0), (1, 2, 0.1)]
    + [(3, 2, 0.1)]
    + [(0.0, 0.0, 1.0), (0.3, 0.0, 0.5), (float("nan"), 1, 0), (float("inf"), 1, 0), (5, 5, 1.0)],
)  # fmt: skip
def test_mra_edge_values(prediction: float, target: float, score: float) -> None:
    assert mean_relative_accuracy(prediction, target) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize(
    ("reply", "answer", "official", "strict"),
    [
        ("B", "B", 1, 1),
        ("b.", "B", 1, 1),
        ("", "B", 1, 0),  # quirk: an empty prediction is part of every answer
        ("Because", "B", 1, 0),  # quirk: first character
        ("Answer: B", "A", 1, 0),  # quirk: first character
        ("The answer is B", "B", 0, 1),  # quirk: only the first character counts
        ("(B)", "B", 0, 1),
        ("**B**", "B", 0, 1),
        (" ", "B", 0, 0),  # white space is not stripped
        ("B. left, above", "B", 1, 1),
        ("A chair is to the left, so C", "C", 0, 1),
        ("<think>B? no</think> C", "C", 0, 1),
        ("x", "B", 0, 0),
    ],
)
def test_multiple_choice(reply: str, answer: str, official: int, strict: int) -> None:
    assert official_choice(reply, answer) == official
    assert strict_choice(reply, answer, ["1", "2", "3", "4"]) == strict


def test_strict_choice_takes_the_text_of_an_option() -> None:
    options = ["left, above, closer", "left, , closer", "right", "farther"]
    assert strict_choice("left, , closer", "B", options) == 1
    assert strict_choice("left, above, closer.", "B", options) == 0
    assert stated_letter("I think (a)", 4) == "A"
    assert stated_letter("I think a", 4) is None
    assert stated_letter("e", 4) is None


@pytest.mark.parametrize(
    ("reply", "task", "official", "strict"),
    [
        ("1.5", "depth_prediction_oc", 1, 1),
        ("-1.5", "depth_prediction_oc", 1, 0),  # quirk: the sign is lost
        ("about 1.5 m", "depth_prediction_oc", 1, 1),
        ("3 or 1.5", "depth_prediction_oc", 0, 1),  # first number
        ("3 or 1.5", "depth_prediction_oc_mv", 1, 1),  # last number
        ("no idea", "depth_prediction_oc", 0, 0),
        ("no idea", "depth_prediction_oc_mv", 0, 0),  # counts as -1
        ("150 cm", "depth_prediction_oc", 0, 1),
        ("", "depth_prediction_oc", 0, 0),
    ],
)
def test_numbers(reply: str, task: str, official: int, strict: int) -> None:
    assert official_number(reply, "1.5", task) == official
    assert strict_number(reply, "1.5", "m") == strict


def test_number_parsing() -> None:
    assert unsigned_numbers("10^2, 3.50 and -4") == [10.0, 3.5, 4.0]
    assert unsigned_numbers("x^2 and 3") == [3.0]
    assert stated_number("1,200.5 then 3 cm", "m") == pytest.approx(0.03)
    assert stated_number("none") is None


@pytest.mark.parametrize(
    ("reply", "official", "strict"),
    [
        (MOTION, 1.0, 1.0),
        # Quirk: blanks lose four of five keys; a lost 0.4 m still scores 0.3, since nothing divides its error.
        (MOTION.replace(",", ", "), (1 + 0.3) / 5, 1.0),
        (MOTION.replace("2.4", "4.8"), (4 + 0.1) / 5, 0.8),  # quirk: twice too far still scores, 0.1
        (MOTION.replace("2.4", "1.2"), 0.8, 0.82),  # half as far scores nothing, and 0.1 by the truth
        (MOTION.replace("move_right", "move_left"), 0.8, 0.8),
        ("move_right", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("move_right:much,move_up:0.4", 0.0, 0.0),
        ("hello:1", (0.3 + 0.3) / 5, 0.0),  # quirk: unknown keys count as "no motion"
    ],
)
def test_motion(reply: str, official: float, strict: float) -> None:
    assert official_motion(reply, MOTION) == pytest.approx(official)
    assert strict_motion(reply, MOTION) == pytest.approx(strict)


def test_blanks_after_commas_lose_keys_as_in_the_released_scorer() -> None:
    """An otherwise perfect answer with two small moves got 0.6: parts that are 0 in truth and lost in parsing agree."""
    answer = "move_right:0.3,move_up:0.0,move_forward:1.2,rotate_up:0,rotate_right:15"
    assert official_motion(answer.replace(",", ", "), answer) == pytest.approx(0.6)


def test_boxes_and_exact_answers() -> None:
    assert box_score("[0, 0, 10, 10]", "[0, 0, 10, 10]") == 1
    assert box_score("the box is [5, 0, 15, 10].", "[0, 0, 10, 10]") == pytest.approx(1 / 3)
    for bad in ("[1, 2, 3]", "[10, 0, 0, 10]", "", "[1,2,3,4,5]", "[" * 10_000):
        assert box_score(bad, "[0, 0, 10, 10]") == 0
    assert exact_score(" yes.", "Yes") == 1
    assert exact_score("Yes, it is", "Yes") == 0


@pytest.mark.parametrize("protocol", ["official", "strict"])
def test_gold_scores_100_and_shuffled_gold_near_chance(protocol: str) -> None:
    rows = make_rows(200)
    best = score_benchmark("sparbench", rows, gold(rows), protocol)
    assert best.overall == 100
    assert set(best.tasks.values()) == set(best.groups.values()) == {100.0}
    assert best.overall_interval == (100.0, 100.0)
    rng = random.Random(1)
    shuffled = {}
    for task in TASKS:
        ids = [row["id"] for row in rows if row["task"] == task]
        answers = [row["answer"] for row in rows if row["task"] == task]
        rng.shuffle(answers)
        shuffled |= dict(zip(ids, answers, strict=True))
    result = score_benchmark("sparbench", rows, shuffled, protocol)
    for task in HIGH:
        assert 15 < result.tasks[task] < 36
        low, high = result.intervals[task]
        assert low < result.tasks[task] < high


def test_means_groups_and_the_official_bug() -> None:
    rows = make_rows(2)
    predictions = gold(rows)
    for task in ("position_matching", "depth_prediction_oc"):
        predictions[f"{task}-0"] = "zzz"
    result = score_benchmark("sparbench", rows, predictions)
    assert result.tasks["position_matching"] == 50
    assert result.groups["Middle"] == pytest.approx((50 + 100 + 100) / 3)
    assert result.groups[MIDDLE_BUG] == 75
    assert result.groups["Low"] == pytest.approx((7 * 100 + 50) / 8)
    assert result.overall == pytest.approx((18 * 100 + 2 * 50) / 20)


def test_order_of_rows_does_not_matter() -> None:
    rows = make_rows(20)
    predictions = _baseline("random", rows)
    first = score_benchmark("sparbench", rows, predictions).to_json()
    rows.reverse()
    second = score_benchmark("sparbench", rows, _baseline("random", rows)).to_json()
    assert sorted(first.pop("per_sample"), key=str) == sorted(second.pop("per_sample"), key=str)
    assert first == second


def test_missing_predictions_are_counted_and_score_nothing() -> None:
    rows = make_rows(4)
    predictions = gold(rows)
    del predictions["position_matching-1"]
    result = score_benchmark("sparbench", rows, predictions)
    assert result.tasks["position_matching"] == 75
    assert result.missing == {"position_matching": 1}
    sample = next(s for s in result.to_json()["per_sample"] if s["id"] == "position_matching-1")
    assert sample == {"id": "position_matching-1", "score": 0.0, "task": "position_matching", "missing": True}


def test_rows_and_predictions_must_fit_together() -> None:
    rows = make_rows(1)
    with pytest.raises(ScoreError, match="rows that do not exist, the first is 'nobody'"):
        score_benchmark("sparbench", rows, {"nobody": "A"})
    with pytest.raises(ScoreError, match="occur twice"):
        score_benchmark("sparbench", [*rows, rows[0]], {})
    with pytest.raises(ScoreError, match="unknown benchmark 'sparbensh'"):
        score_benchmark("sparbensh", rows, {})
    with pytest.raises(ScoreError, match="no protocol 'lenient'; it has official, strict, vlmevalkit"):
        score_benchmark("sparbench", rows, {}, "lenient")
    with pytest.raises(ScoreError, match="row 1 has no answer"):
        score_benchmark("sparbench", [{"id": 1, "task": "x"}], {})


def test_formats_that_the_benchmark_lacks_stand_apart() -> None:
    rows = [
        {"id": 1, "task": "distance_prediction_oo", "format": "select", "answer": "C", "options": list("abcd")},
        {"id": 2, "task": "distance_prediction_oo", "format": "fill", "answer": "2.5"},
        {"id": 3, "task": "position_matching", "format": "fill", "answer": "[0, 0, 500, 500]"},
        {"id": 4, "task": "obj_spatial_relation_oo", "format": "judge", "answer": "No"},
        {"id": 5, "task": "obj_count", "format": "fill", "answer": "4"},
        {"id": 6, "task": "obj_count", "format": "sentence", "answer": "There are 4."},
        {"id": 7, "task": "appearance_order", "format": "fill", "answer": "bed, lamp, chair"},
    ]
    replies = {"1": "C", "2": "2.5", "3": "[0, 0, 500, 250]", "4": "no", "5": "4", "6": "x", "7": "bed, lamp, chair"}
    result = score_benchmark("sparbench", rows, replies)
    assert result.tasks == {"distance_prediction_oo": 100.0}
    assert result.overall == 100.0
    assert result.other == {
        "appearance_order/fill": 100.0,
        "distance_prediction_oo/select": 100.0,
        "obj_count/fill": 100.0,
        "obj_spatial_relation_oo/judge": 100.0,
        "position_matching/fill": 50.0,
    }
    assert result.unscored == {"obj_count/sentence": 1}


def test_released_rows_are_read_as_they_are() -> None:
    rows = [
        {"id": 12, "img_type": "single_view", "format_type": "fill", "task": "depth_prediction_oc", "answer": "1.5"},
        {"id": 13, "img_type": "multi_view", "format_type": "select", "task": "position_matching", "answer": "B"},
        {"id": 14, "task": "view_change_infer", "answer": MOTION},
    ]
    assert score_benchmark("sparbench", rows, {"12": "1.5", "13": "B", "14": MOTION}).overall == 100


def test_baselines_score_what_the_options_say() -> None:
    rows = make_rows(400)
    assert score_benchmark("sparbench", rows, _baseline("oracle", rows)).overall == 100
    chance = score_benchmark("sparbench", rows, _baseline("random", rows))
    common = score_benchmark("sparbench", rows, _baseline("frequency", rows))
    for task in HIGH:
        assert chance.tasks[task] == pytest.approx(25, abs=7)
        assert 25 <= common.tasks[task] < 33
    assert all(common.tasks[task] > chance.tasks[task] for task in LOW)
    assert _baseline("random", rows, 1) != _baseline("random", rows, 2)


def test_vlmevalkit_reads_motions_its_own_way() -> None:
    assert vlmevalkit_motion(MOTION.replace(",", ", "), MOTION) == 1
    assert vlmevalkit_motion(MOTION.replace("2.4", "4.8"), MOTION) == pytest.approx(0.8)  # arguments are not swapped
    assert vlmevalkit_motion(MOTION.replace("2.4", "1.2"), MOTION) == pytest.approx(0.82)
    # Quirk: a reply without any pair is "no motion"; it scores where the truth has none either.
    assert vlmevalkit_motion("I do not know", "move_right:0.3,move_left:0.3") == 1
    assert vlmevalkit_motion("move_right:much,move_up:0.4", MOTION) == pytest.approx(0.2)


def test_vlmevalkit_takes_last_numbers_and_searches_letters() -> None:
    rows = [
        {"id": 1, "task": "depth_prediction_oc", "format_type": "fill", "answer": "1.5"},
        {"id": 2, "task": "position_matching", "format_type": "select", "answer": "B"},
    ]
    for number, letter, score in (("3 or 1.5", "The answer is B", 1), ("-1.5", "", 0), ("1.5 or 3", "Because", 0)):
        result = score_benchmark("sparbench", rows, {"1": number, "2": letter}, "vlmevalkit")
        assert [sample.score for sample in result.samples] == [score, score]


def test_published_middle_and_overall_follow_from_published_tasks() -> None:
    """Figures of InternVL2.5-8B as printed per task; the README prints 31.88 for Middle and 36.28 overall."""
    printed = dict(zip(
        ("depth_prediction_oc", "depth_prediction_oc_mv", "depth_prediction_oo", "depth_prediction_oo_mv",
         "distance_prediction_oc", "distance_prediction_oc_mv", "distance_prediction_oo", "distance_prediction_oo_mv",
         *MIDDLE, *HIGH),
        (25.78, 29.31, 23.79, 18.76, 46.82, 42.68, 22.62, 25.89, 61.32, 28.00, 6.32,
         59.71, 56.85, 51.75, 44.23, 41.55, 36.56, 41.57, 22.52, 39.50),
        strict=True,
    ))  # fmt: skip
    rule = find_benchmark("sparbench").protocol()
    rows = [
        {"id": task, "task": task, "format_type": "select" if task in (*MIDDLE[:2], *HIGH) else "fill", "answer": "1"}
        for task in printed
    ]
    summary = rule.summarise(rows, [RowScore(printed[row["task"]] / 100) for row in rows])
    assert round(float(summary.groups["Middle"] or 0), 2) == 31.88
    assert round(float(summary.groups[MIDDLE_BUG] or 0), 2) == 44.66
    assert float(summary.overall or 0) == pytest.approx(36.28, abs=0.01)
    assert round(float(summary.groups["Low"] or 0), 2) == 29.46


def test_prompts() -> None:
    low = {"task": "depth_prediction_oc", "question": "How deep?"}
    assert prompt(low) == "\nHow deep?\nPlease answer the question using a single word or phrase."
    assert prompt({"task": "view_change_infer", "question": "How did it move?"}) == "\nHow did it move?\n\n"
    choice = prompt({"task": "camera_motion_infer", "question": "Where?"}).split("\n")
    assert choice[2].startswith("The values represent the bounding box")
    assert choice[3] == "Answer with the option's letter from the given choices directly."
    assert prompt({"task": "spatial_imagination_oo", "question": "Q"}).split("\n")[2] == ""


def test_command_writes_a_result_and_names_bad_lines(tmp_path: Path) -> None:
    rows = make_rows(3)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [json.dumps({"id": row["id"], "prediction": row["answer"]}) for row in rows]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))

    def score(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "spaceland", "score", "sparbench", "--rows", "rows.jsonl", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = score("--predictions", "p.jsonl", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["overall"] == 100
    assert result["benchmark"] == "sparbench"
    assert result["protocol"] == "official"
    assert {len(result["per_sample"]), len(result["tasks"])} == {60, 20}
    assert result["provenance"]["num_rows"] == 60
    assert score("--baseline", "oracle").returncode == 0
    assert "give either --predictions FILE or --baseline" in score().stderr
    (tmp_path / "p.jsonl").write_text(lines[0] + "\n" + lines[0])
    assert "two predictions for" in score("--predictions", "p.jsonl").stderr
    (tmp_path / "p.jsonl").write_text(lines[0] + "\n{broken")
    assert "p.jsonl, line 2: not valid JSON" in score("--predictions", "p.jsonl").stderr
    (tmp_path / "p.jsonl").write_text('{"name": 1}')
    assert "needs 'id' and 'prediction', found name" in score("--predictions", "p.jsonl").stderr
