"""SQA3D: protocols, question types, splits, joining the released files, and the localisation track."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from rows_sqa3d import make_rows

from spaceland.benchmarks import sqa3d_place
from spaceland.benchmarks.score import score_benchmark
from spaceland.benchmarks.sqa3d import BENCHMARK, TYPES, join_rows, prompt, question_type

PROTOCOLS = tuple(protocol.name for protocol in BENCHMARK.protocols)


def _row(answer: str, question: str = "What is behind me?", k: int = 1) -> dict[str, Any]:
    return {"question_id": k, "situation": "I stand here.", "question": question, "answers": [{"answer": answer}]}


def _exact(reply: str | None, answer: str) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for name in PROTOCOLS:
        metrics = BENCHMARK.protocol(name).score([_row(answer)], [reply])[0].metrics
        found[name] = (metrics["EM"], metrics.get("EM refined"))
    return found


def test_the_same_reply_under_every_protocol() -> None:
    assert _exact("The door.", "door") == {
        "official": (0, None),
        "video-3d-llm": (1, None),
        "chat-scene": (1, 1),
        "leo": (1, 1),
        "llava-3d": (1, 1),
        "sqa3d-llm": (1, None),
        "strict": (1, 1),
    }


def test_the_loose_rule_and_empty_replies() -> None:
    assert _exact("left of it", "of course")["sqa3d-llm"] == (1, None)  # one common word is enough
    assert _exact("left of it", "of course")["video-3d-llm"] == (0, None)
    empty = _exact("", "door")
    assert empty["sqa3d-llm"] == (1, None)
    assert empty["leo"] == empty["llava-3d"] == (0, 1)
    assert empty["chat-scene"] == empty["strict"] == (0, 0)
    assert all((exact, refined or 0) == (0, 0) for exact, refined in _exact(None, "door").values())


def test_question_types_are_prefixes() -> None:
    questions = {
        "  What is it?": "what", "Whatever?": "what", "Is it?": "is", "Island in sight?": "is", "HOW many?": "how",
        "Candle or lamp?": "can", "Which way?": "which", "Where am I?": "other", "": "other",
    }  # fmt: skip
    assert {text: question_type(_row("x", text)) for text in questions} == questions
    rows = make_rows(60, 0)
    assert {question_type(row) for row in rows} == set(TYPES)


def test_overall_is_the_mean_of_rows_and_not_of_types() -> None:
    rows = [_row("door", k=k) for k in range(3)] + [_row("yes", "Is it red?", k=3)]
    result = score_benchmark(BENCHMARK, rows, {"0": "door", "1": "door", "2": "bed", "3": "no"}, "video-3d-llm")
    assert result.overall == pytest.approx(50)
    assert result.tasks == {"what": pytest.approx(200 / 3), "is": 0}


def test_figures_name_the_split(by_id: Callable[..., dict[str, str]]) -> None:
    rows = [_row("door", k=k) | {"split": "test" if k else "val"} for k in range(3)]
    result = score_benchmark(BENCHMARK, rows, {"0": "door", "1": "door", "2": "bed"}, "chat-scene", resamples=0)
    assert (result.groups["EM/val"], result.groups["EM/test"]) == (100, 50)
    assert result.groups["EM refined/test"] == 50
    alone = score_benchmark(BENCHMARK, rows, {"1": "door"}, "chat-scene", subset="val", resamples=0)
    assert alone.provenance["num_scored"] == 1
    assert BENCHMARK.expected_rows["test"] == 3519


def test_rows_as_chat_scene_prepares_them() -> None:
    row = {"qid": 3, "ref_captions": ["door"], "sqa_type": 2, "prompt": "I stand. How is it? Answer the question."}
    result = score_benchmark(BENCHMARK, [row, row | {"qid": 4, "sqa_type": "which"}], {"3": "Door."}, "chat-scene")
    assert (result.tasks, result.counts) == ({"how": 100, "which": 0}, {"how": 1, "which": 1})
    assert prompt(row, "chat-scene") == row["prompt"]


def test_released_files_join_on_the_question() -> None:
    questions = [{"question_id": k, "question": f"What {k}?", "situation": "Here."} for k in (1, 2, 3)]
    annotations = [{"question_id": k, "answers": [{"answer": "door"}]} for k in (2, 1, 9)]
    rows = join_rows(questions, annotations, "test")
    assert [(row["question_id"], row["question"], row["split"]) for row in rows] == [
        (2, "What 2?", "test"),
        (1, "What 1?", "test"),
    ]


def test_chat_scene_draws_a_situation_by_seed_and_question() -> None:
    rows = make_rows(90, 0)
    first, again = ([prompt(row, "chat-scene", seed=1) for row in rows] for _ in range(2))
    assert first == again != [prompt(row, "chat-scene", seed=2) for row in rows]
    plain = [prompt(row, "video-3d-llm") for row in rows]
    assert plain[0] == "I am standing by table 0. What is behind me? Answer the question using a single word or phrase."
    assert 10 < sum(one == other for one, other in zip(first, plain, strict=True)) < 50


def test_broken_rows_are_named() -> None:
    assert BENCHMARK.problem_of({}) == "has no question_id and no question and no answers"
    assert "needs 'answers'" in str(BENCHMARK.problem_of({"question_id": 1, "question": "?", "answers": [{"a": 1}]}))
    assert BENCHMARK.problem_of({"question_id": 1, "question": "?", "answers": ["door"]}) is None


def _place(turn_deg: float, x: float = 1.0, y: float = 2.0) -> dict[str, Any]:
    half = math.radians(turn_deg) / 2
    rotation = {"_x": 0.0, "_y": 0.0, "_z": math.sin(half), "_w": math.cos(half)}
    return {"question_id": 1, "position": {"x": x, "y": y, "z": 0.3}, "rotation": rotation}


def _hits(row: dict[str, Any], guesses: object, protocol: str = "official") -> list[float | None]:
    reply = guesses if isinstance(guesses, str) else json.dumps(guesses)
    return list(sqa3d_place.BENCHMARK.protocol(protocol).score([row], [reply])[0].metrics.values())


def test_places_are_judged_strictly_below_and_without_height() -> None:
    row = _place(170)
    assert _hits(row, {"position": [1.0, 2.0, 99.0], "angle_deg": 170}) == [1, 1, 1, 1]
    assert _hits(row, {"position": [1.5, 2.0], "angle_deg": -174.9}) == [0, 1, 0, 1]  # exactly 0.5 m; 15.1 degrees
    assert _hits(row, {"position": [1.0, 3.0], "angle_deg": 199.9}) == [0, 0, 0, 1]  # exactly 1 m; wrapped
    assert _hits(row, {"position": [1.0, 2.0]}) == [1, 1, 0, 0]


def test_the_best_of_three_guesses_counts_for_place_and_turn_apart() -> None:
    row = _place(0)
    guesses = [
        {"position": [9, 9], "rotation": [0, 0, 0, 1]},
        {"position": [1, 2], "angle_deg": 90},
        {"position": [5, 5], "angle_deg": 180},
        {"position": [1, 2], "angle_deg": 0},
    ]
    assert _hits(row, guesses) == [1, 1, 1, 1]
    assert _hits(row, guesses, "strict") == [0, 0, 1, 1]
    assert _hits(row, [{"position": [9, 9]}, {}, {}, guesses[3]]) == [0, 0, 0, 0]  # the fourth is not looked at


@pytest.mark.parametrize(
    "reply",
    ["", "[", "[" * 9000, "{}", "null", "3", '"x"', '[{"position": "abc"}]', '{"position": [NaN, 1]}', "x" * 20_000,
     '{"position": [1e999, 2]}', '{"rotation": [0, 0, 0, 0]}', '{"angle_deg": true}', '{"position": [true, false]}',
     '{"position": [' + "9" * 400 + ", 1]}"],
)  # fmt: skip
def test_odd_places_are_no_guess(reply: str) -> None:
    assert _hits(_place(30), reply) == [0, 0, 0, 0]


def test_broken_places_are_named() -> None:
    assert sqa3d_place.BENCHMARK.problem_of({"question_id": 1}) == "has no position and no rotation"
    broken = _place(0) | {"position": {"x": 1}}
    assert sqa3d_place.BENCHMARK.problem_of(broken) == "needs 'position' with the numbers x, y"
    assert sqa3d_place.BENCHMARK.problem_of(_place(0)) is None
