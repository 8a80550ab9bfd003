"""The multiple-choice benchmarks: letter rules, means and prompts, with the values that the released code gives."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from spaceland.benchmarks import ScoreError, find_benchmark, score_benchmark
from spaceland.benchmarks import choices as rules
from spaceland.benchmarks.cards import bare_letter
from spaceland.benchmarks.known import benchmark_module
from spaceland.benchmarks.types import Row
from spaceland.benchmarks.vlmevalkit import option_letter

CARDS = (
    "cvbench", "blink", "mmsi", "mindcube", "viewspatial", "site", "sti", "allangles", "3dsrbench", "embspatial",
)  # fmt: skip
RowsOf = Callable[[str], ModuleType]

# What each rule reads out of the same replies, to four options "left, right, above, below"; "" is nothing.
REPLIES = (
    "B", "(B)", "B.", "b", "The answer is B", "**B**", "B. right", "A chair, so B", "It is to the right", "", "Because",
    "(A) or (B)", "``B``", "I choose\nB", "The answer is: (B)",
)  # fmt: skip
READ = {
    "cambrian_letter": "B B B B B * B A I - B A ` I :",
    "first_letter": "B B B B T - B A I - B A - I T",
    "phrase_letter": "B B B - B B B A - - B A B B B",
    "quoted_letter": "B B B - B B B B - - - A B B B",
    "mindcube_letter": "B B B - B B B B - - - A B B B",
    "last_line_letter": "B B B B B B B A - - - A B B B",
    "sti_letter": "B B B - B - - B - - - A - B B",
    "pattern_letter": "B B B - B B B A - - - A B B B",
    "blink_letter": "B B - - - - - - - - - - - - B",
    "site_letter": "B B B - B - B B - - - A - - B",
    "inferred_letter": "B B B - B B B - B - - - - B B",
    "option_letter": "B B B B B B B - - - - - B B B",
}


def _read(name: str, reply: str) -> str | None:
    if name == "option_letter":
        return option_letter(reply)
    more = {
        "blink_letter": (4,),
        "site_letter": ("ABCD",),
        "inferred_letter": ({"A": "left", "B": "right", "C": "above", "D": "below"},),
    }
    return getattr(rules, name)(reply, *more.get(name, ()))


@pytest.mark.parametrize("name", READ)
def test_letters_by_rule(name: str) -> None:
    assert " ".join(_read(name, reply) or "-" for reply in REPLIES) == READ[name]


# The released patterns, as facts: our scans must read the same, whatever the text.
MINDCUBE = (
    r"(?:Answer: )?([A-E])\. [A-Za-z0-9 \-\(\)\'\",]+(?=(?:\n|$|\.|\"))",
    r"(?:Answer: )?([A-E])\. [A-Za-z0-9 \-\(\)\'\"]+",
    r"(?:Answer: )?([A-E])(?:\.|$|\s)",
    r"(?:^|\n)(?:Answer: )?([A-E])(?:\.|$|\s)",
    r"[\*\"]([A-E])[\*\"]",
    r"\bAnswer:?\s*([A-E])\b",
    r"[Mm]y answer is ([A-E])",
    r"[Mm]y answer is ([A-E])\.",
    r"answer is ([A-E])",
)


def _mindcube_by_patterns(text: str, patterns: tuple[str, ...]) -> str | None:
    dotted = re.findall(r"([A-E])\.", text)
    if dotted:
        return dotted[-1]
    section = re.search(r"<Answer>(.*?)(?:<|$)", text, re.DOTALL)
    inside = (r"[Mm]y answer is ([A-E])", r"[Tt]he answer is ([A-E])", r"\b([A-E])\b")
    for pattern, where in [(p, section[1]) for p in inside if section] + [(p, text) for p in patterns]:
        found = re.findall(pattern, where)
        if found:
            return found[-1]
    lines = [re.search(r"\b([A-E])\b", line) for line in reversed(text.split("\n"))]
    return next((line[1] for line in lines if line), None)


def _quoted_by_patterns(text: str) -> str | None:
    for pattern in (r"``([^`]*)``", r"`([^`]*)`", r"\{([^}]*)\}"):
        found = re.search(pattern, text)
        text = found[1] if found else text
    found = re.search(r"\b[A-F]\b(?!\s[a-zA-Z])", text)
    return found[0] if found else None


def test_scans_read_what_the_released_patterns_read(hostile: Callable[[int, int], list[str]]) -> None:
    pieces = ["A", "B.", "Answer: C", " ", "\n", "my answer is D", "<Answer>", "<", "{", "}", "`", "``", "SOFA ", "*E*"]
    rng = random.Random(4)
    replies = ["".join(rng.choices(pieces, k=rng.randint(1, 7))) for _ in range(4000)] + hostile(1000, 3)
    short = MINDCUBE[:2] + MINDCUBE[3:]
    for reply in replies:
        assert rules.mindcube_letter(reply) == _mindcube_by_patterns(reply, MINDCUBE), repr(reply)
        assert rules.mindcube_letter(reply, anywhere=False) == _mindcube_by_patterns(reply, short), repr(reply)
        assert rules.quoted_letter(reply) == _quoted_by_patterns(reply), repr(reply)


def test_answers_in_all_released_forms() -> None:
    given = ("(C)", "C", "C. left", "C", 2, " C ", "left", "Chair", "", None, -1, True, 26)
    assert [bare_letter(value) for value in given] == ["C"] * 6 + [None] * 7
    assert rules.options_in_text("A. one\nB. two\nC. three") == ["one", "two", "three"]
    assert rules.options_in_text("Options: A: one, B: two, C: three") == ["one", "two", "three"]
    assert rules.options_in_text("By A. Smith. A. one B. two") == ["one", "two"]
    assert rules.options_in_text("no options, but a. b.") == []


def _rows(name: str, rows_of: RowsOf, num: int) -> list[dict[str, Any]]:
    return rows_of(name).make_rows(num, 2)


def _figures(name: str, rows: list[Row], said: Callable[[Any], str], protocol: str | None = None) -> Any:
    benchmark = find_benchmark(name)
    return score_benchmark(benchmark, rows, {benchmark.row_id(row): said(row) for row in rows}, protocol, resamples=30)


def test_cvbench_is_the_mean_of_sources(rows_of: RowsOf) -> None:
    rows = [*_rows("cvbench", rows_of, 10), {**_rows("cvbench", rows_of, 1)[0], "idx": 99, "source": "COCO"}]
    right = {"ADE20K": False, "COCO": True, "Omni3D": True}
    result = _figures("cvbench", rows, lambda row: row["answer"] if right[row["source"]] else "(Z)")
    assert result.tasks == {"2D": 50.0, "3D": 100.0}
    assert result.overall == 75.0
    assert set(result.groups) == {"Count", "Depth", "Distance", "Relation"}
    assert set(result.group_intervals) == set(result.groups)
    assert _figures("cvbench", rows, lambda row: f"The answer is {row['answer'][1]}").overall == 100
    assert _figures("cvbench", rows, lambda row: f"The answer is {row['answer'][1]}", "lmms-eval").overall == 0
    assert _figures("cvbench", rows, lambda row: f"The answer is: {row['answer'][1]}").overall == 0


def test_blink_is_the_mean_of_tasks_and_elsewhere_of_rows() -> None:
    row = {"choices": ["left", "right"], "answer": "(B)", "prompt": "Where?", "question": "Where?"}
    rows = [
        {**row, "idx": f"val_{task}_{k}", "sub_task": task}
        for task, n in (("Counting", 3), ("Jigsaw", 1))
        for k in range(n)
    ]
    said = {"val_Counting_0": "(B)", "val_Counting_1": "(A)", "val_Counting_2": "(A)", "val_Jigsaw_0": "(B)"}
    found = {
        p: score_benchmark("blink", rows, said, p, resamples=0).overall
        for p in ("official-no-judge", "lmms-eval", "vlmevalkit")
    }
    assert found == pytest.approx({"official-no-judge": 200 / 3, "lmms-eval": 50.0, "vlmevalkit": 50.0})
    spatial = [
        {**row, "idx": str(k), "sub_task": task} for k, task in enumerate(("Relative_Depth", "Spatial Relation"))
    ]
    assert score_benchmark("blink", spatial, {"0": "B"}, resamples=0).groups == {"Spatial (VG-LLM)": 50.0}
    text = benchmark_module("blink").prompt(rows[3])
    assert text.startswith("Disclaimer: This is not")
    assert text.endswith("Where?")


def test_mindcube_leaves_translation_out(rows_of: RowsOf) -> None:
    rows = _rows("mindcube", rows_of, 10)
    result = _figures("mindcube", rows, lambda row: "Z" if "translation" in row["id"] else row["gt_answer"])
    assert result.overall == 100
    assert result.tasks == {"around": 100, "rotation": 100, "among": 100}
    assert result.other == {"translation": 0}
    again = _figures("mindcube", rows, lambda row: "Z" if "translation" in row["id"] else row["gt_answer"], "lmms-eval")
    assert again.overall == pytest.approx(80)


def test_viewspatial_reads_the_article_as_an_option(rows_of: RowsOf) -> None:
    rows = [{**row, "answer": "B. left"} for row in _rows("viewspatial", rows_of, 6)]
    assert _figures("viewspatial", rows, lambda row: "on a chair, so B").overall == 0
    assert _figures("viewspatial", rows, lambda row: "on a chair, so B", "strict").overall == 100
    assert _figures("viewspatial", rows, lambda row: "a chair\nB").overall == 100
    prompt = benchmark_module("viewspatial").prompt
    row = {"question": "Where?", "choices": "A. left"}
    assert prompt(row) == "Where?A. left\nReply only to the corresponding option.\nAnswer:"
    assert prompt(row, "lmms-eval").startswith("Question: Where?\nChoices: A. left\nReply only")


def test_rows_without_an_id_are_told_apart_by_what_they_hold(rows_of: RowsOf) -> None:
    rows = _rows("viewspatial", rows_of, 4)
    row_id = find_benchmark("viewspatial").row_id
    assert len({row_id(row) for row in rows}) == 4
    assert row_id({**rows[0], "id": 7}) == "7"
    with pytest.raises(ScoreError, match="has the id"):
        score_benchmark("viewspatial", [rows[0], dict(rows[0])], {})


def test_site_figures_are_chance_adjusted() -> None:
    row = {"question": "?", "category": "c", "dataset": "d", "answer": "A"}
    rows = [{**row, "id": k, "options": ["x"] * n} for k, n in enumerate((2, 4, 4))]
    # (1 - 1/2) + (0 - 1/4) + (1 - 1/4) over 1/2 + 3/4 + 3/4
    result = score_benchmark("site", rows, {"0": "A", "1": "B", "2": "A"}, resamples=0)
    assert result.overall == pytest.approx(50)
    assert result.groups == pytest.approx({"d": 50.0, "plain accuracy": 200 / 3})
    worst = score_benchmark("site", rows, {"0": "B", "1": "B", "2": "B"}, resamples=0)
    assert worst.overall == pytest.approx(-50)


def test_site_guesses_by_the_row_alone() -> None:
    rows = [{"id": k, "question": "?", "category": "c", "options": ["x"] * 4, "answer": "A"} for k in range(400)]
    said = {str(k): "no idea" for k in range(400)}
    first = score_benchmark("site", rows, said, resamples=0)
    assert first.samples[::-1] == score_benchmark("site", rows[::-1], said, resamples=0).samples
    right = sum(sample.score for sample in first.samples)
    assert 70 < right < 130
    half = score_benchmark("site", rows[::2], {k: said[k] for k in list(said)[::2]}, resamples=0)
    scores = {sample.id: sample.score for sample in first.samples}
    assert all(sample.score == scores[sample.id] for sample in half.samples)
    assert score_benchmark("site", rows, said, "no-guess", resamples=0).groups["plain accuracy"] == 0
    assert score_benchmark("site", rows, {}, resamples=0).groups["plain accuracy"] == 0


def test_sti_scenes_and_last_characters(rows_of: RowsOf) -> None:
    rows = _rows("sti", rows_of, 12)
    result = _figures("sti", rows, lambda row: row["Answer"] if "camera" in row["Video"] else "none of these")
    assert result.groups == {"desktop": 0, "indoor": 0, "outdoor": 100}
    assert result.overall == pytest.approx(100 / 3)
    table = [{**row, "Answer": "E"} for row in rows]
    assert _figures("sti", table, lambda row: "it is a TABLE").overall == 100
    assert _figures("sti", table, lambda row: "it is a TABLE", "strict").overall == 0
    row = {**rows[0], "Candidates": '{"A": "1 m", "B": "2 m"}'}
    text = benchmark_module("sti").prompt(row)
    assert text == "From 0.5 s to 4.0 s. Question 0?\n(A) 1 m\n(B) 2 m\nPlease output only the option letter!"


def test_3dsrbench_plain_and_circular() -> None:
    row = {"question": "?", "A": "left", "B": "right", "category": "height_higher", "answer": "A"}
    ids = [f"Q{q:07d}{variant}" for q in range(2) for variant in ("", "-1", "-flip", "-flip-1")]
    rows = [{**row, "index": k, "qid": qid} for k, qid in enumerate(ids)]
    said = {str(k): "B" if k in (1, 6) else "A" for k in range(8)}
    # Wrong are Q0-1 and Q1-flip.
    expected = {"height": 0.0, "plain": 75.0, "circular": 50.0, "flip": 50.0, "circular and flip": 0.0}
    assert score_benchmark("3dsrbench", rows, said).groups == expected
    assert score_benchmark("3dsrbench", rows, said).overall == 0
    assert score_benchmark("3dsrbench", rows, said, "plain").overall == 75
    assert score_benchmark("3dsrbench", rows, said, "plain").groups["height"] == 75
    said["1"] = "A"
    assert score_benchmark("3dsrbench", rows, said).overall == 50
    plain = [{key: value for key, value in one.items() if key != "qid"} for one in rows]
    figures = score_benchmark("3dsrbench", plain, said).groups
    assert {figures[name] for name in ("plain", "circular", "flip", "circular and flip")} == {87.5}


def test_option_columns_end_at_the_first_empty_one(rows_of: RowsOf) -> None:
    row = {"index": 1, "question": "?", "category": "c", "A": "x", "B": "y", "C": math.nan, "D": "nan", "answer": "B"}
    assert find_benchmark("allangles").num_options(row) == 2
    text = benchmark_module("allangles").prompt(row)
    assert text == "Question: ?\nOptions:\nA. x\nB. y\nPlease select the correct answer from the options above. \n"
    with pytest.raises(ScoreError, match="has an answer that is none of its 2 options"):
        score_benchmark("allangles", [{**row, "answer": "C"}], {})


def test_other_prompts() -> None:
    mmsi = benchmark_module("mmsi").prompt({"question": "Q?\nOptions: A: x, B: y"})
    assert mmsi.startswith("Q?\nOptions: A: x, B: y\nAnswer with the option's letter")
    assert mmsi.endswith("Enclose the option's letter within ``.")
    row = {"question": "Q?", "answer_options": ["x", "y"]}
    assert benchmark_module("embspatial").prompt(row).endswith("additional information.\nQ?\nA) x\nB) y")
    site = benchmark_module("site").prompt
    row = {"question": " Q? ", "options": ["x", "y"], "visual": ["a.jpg", "b.jpg"]}
    end = "Question: Q?\nOptions:\nA: x\nB: y\nGive me the answer letter directly. The best answer is:"
    assert site(row) == f"<image><image>\n{end}"
    assert site({**row, "visual": ["a.mp4"]}).startswith("Select the best answer to the following")
    cvbench = benchmark_module("cvbench").prompt
    row = {"prompt": "P", "choices": ["x", "y"]}
    assert cvbench(row) == "P\nAnswer with the option's letter from the given choices directly."
    assert "respond with A, B without" in cvbench(row, "lmms-eval")
    for name in CARDS:
        with pytest.raises(KeyError):
            benchmark_module(name).prompt({}, "kind")


@pytest.mark.parametrize("name", CARDS)
def test_broken_rows_are_named(name: str, rows_of: RowsOf) -> None:
    row = _rows(name, rows_of, 1)[0]
    letter = next(key for key in ("answer", "gt_answer", "Answer") if key in row)
    with pytest.raises(ScoreError, match=rf"row 1 has no {letter}; is this a rows file of {name}"):
        score_benchmark(name, [{**row, letter: None}], {})
    with pytest.raises(ScoreError, match="has an answer that is none of its"):
        score_benchmark(name, [{**row, letter: "Z"}], {})


@pytest.mark.parametrize("name", CARDS)
def test_strict_reads_sentences_and_option_texts(name: str, rows_of: RowsOf) -> None:
    rows = _rows(name, rows_of, 30)
    benchmark = find_benchmark(name)

    def letter(row: Row) -> str:
        return benchmark.baseline("oracle", {"x": row}, 0)["x"]  # type: ignore[misc]

    for words in ("I thought of Z, but the answer is ({}).", "{}", "**{}**", "<think>A?</think>{}."):
        assert _figures(name, rows, lambda row, words=words: words.format(letter(row)), "strict").overall == 100


def test_vstibench_types_letters_and_numbers(rows_of: RowsOf) -> None:
    rows = _rows("vstibench", rows_of, 40)
    gold = rows_of("vstibench").gold
    result = _figures("vstibench", rows, lambda row: gold(row) if "rel_dist" in row["question_type"] else "no")
    assert result.overall == pytest.approx(30)
    assert result.groups["relative distance"] == 100
    assert result.groups["Numerical"] == 0
    number = {"id": 1, "question_type": "camera_displacement", "question": "?", "ground_truth": "5"}

    def one(truth: str, said: str, protocol: str = "official") -> float:
        return score_benchmark("vstibench", [{**number, "ground_truth": truth}], {"1": said}, protocol).samples[0].score

    assert [one("5", said) for said in ("4", "4 m", "4m", "nan", " 4")] == [0.6, 0.6, 0, 0, 0]
    assert (one("-1", "100"), one("-1", "none"), one("-1", "100", "strict"), one("-1", "-1", "strict")) == (1, 0, 0, 1)
    assert (one("0", "0"), one("0.0", "0", "strict")) == (0, 1)
    assert one("5", "about 500 cm", "strict") == 1
    with pytest.raises(ScoreError, match="the question type 'x', which VSTI-Bench does not have"):
        score_benchmark("vstibench", [{**number, "question_type": "x"}], {})
