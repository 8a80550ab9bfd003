"""OpenEQA: marks, what the judge is asked, words in its place, and the released questions."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from fake_judge import by_prompt, quick

from chat_server import serving
from spaceland.benchmarks import baseline_predictions, find_benchmark, score_benchmark
from spaceland.benchmarks.judge import with_judge
from spaceland.benchmarks.openeqa import cut_reply, judge_prompt, mark_score, read_mark, same_words, word_overlap
from spaceland.cli import run

RowsOf = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("answer", "mark"),
    [("5", 5), ("Your mark: 4", 4), ("Fine.\nYour mark:3\nbecause", 3), ("Your mark: 12", 12), ("0", 0)],
)
def test_marks(answer: str, mark: int) -> None:
    assert read_mark(answer) == mark


@pytest.mark.parametrize("answer", ["", " 5", "mark: 5", "Your mark: five", "Your mark: 4.", "\u00b2", "9" * 5000])
def test_answers_without_a_mark(answer: str) -> None:
    """The released code stops at each of these."""
    with pytest.raises(ValueError, match="no mark"):
        read_mark(answer)


def test_marks_outside_of_one_to_five_are_clipped() -> None:
    assert [mark_score(mark) for mark in (0, 1, 2, 3, 4, 5, 12)] == [0, 0, 0.25, 0.5, 0.75, 1, 1]


def test_replies_are_cut_after_their_last_full_stop() -> None:
    given = ("It is red. I hope", "It is red.", "red", "", ".", "3.5 m", "Yes. No. Perhaps")
    assert [cut_reply(text) for text in given] == ["It is red.", "It is red.", "red", "", ".", "3.", "Yes. No."]


def test_words_in_the_place_of_marks() -> None:
    assert word_overlap("The red chair.", ["a red chair"]) == 1
    assert word_overlap("red", ["a red chair"]) == pytest.approx(2 / 3)
    assert word_overlap("couch", ["sofa", "a couch"]) == 1
    assert word_overlap("", ["sofa"]) == word_overlap("sofa", [""]) == word_overlap("", [""]) == 0
    assert word_overlap("red red red", ["red"]) == pytest.approx(0.5)
    assert (same_words("Two chairs", ["2 chairs"]), same_words("chairs two", ["2 chairs"]), same_words("", [""])) == (
        1,
        0,
        0,
    )


def test_what_the_judge_is_asked(tmp_path: Path) -> None:
    row = {"question": "What {is} it?", "answer": "A sofa", "question_id": "1", "category": "object recognition"}
    with serving(by_prompt(lambda text: "3")) as log:
        judge = quick(log.url)
        text = judge_prompt(judge, row, "A {couch}. Surely")
        assert text.endswith("Question: What {is} it?\nAnswer: A sofa\nResponse: A {couch}.\n")
        assert "extra" not in text
        extra = judge_prompt(judge, {**row, "extra_answers": ["a couch", "seat"]}, "x")
        assert "Other answers: a couch; seat\nResponse: x" in extra
        templates = {"mmbench": "{question}|{answer}|{prediction}", "mmbench-extra": "{extra_answers}|{prediction}"}
        given = quick(log.url, templates=templates)
        assert judge_prompt(given, row, "x. y") == "What {is} it?|A sofa|x."
        assert judge_prompt(given, {**row, "extra_answers": ["a couch"]}, "x") == "['a couch']|x"
        score_benchmark(with_judge(find_benchmark("openeqa"), given), [row], {"1": "x"}, "official")
        body = log.bodies[-1]
    assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.2, 1234, 32)


def test_official_figures_are_means_of_marks(rows_of: RowsOf) -> None:
    rows = rows_of("openeqa").make_rows(28, 1)
    said = {row["question_id"]: f"mark {k % 7}" for k, row in enumerate(rows) if k >= 7}
    with serving(by_prompt(lambda text: f"Your mark: {text.rsplit('mark ', 1)[1].strip()}")) as log:
        result = score_benchmark(with_judge(find_benchmark("openeqa"), quick(log.url)), rows, said, "official")
    # Seven are missing and score 0; the others have marks 0 to 6 three times: 0, 0, 1, 2, 3, 4, 4 quarters.
    assert result.overall == pytest.approx(100 * 3 * 14 / 4 / 28)
    assert sum(result.missing.values()) == 7
    assert set(result.groups) == {"ScanNet", "HM3D"}
    assert result.samples[7].metrics == {"mark": 0.0}
    assert result.samples[0].metrics == {"mark": None}
    assert "own-wording" in result.provenance["deviations"]
    assert "judge (temperature 0.2, seed 1234) as judge" in result.provenance["protocol"]


def test_score_command_with_a_judge(tmp_path: Path, rows_of: RowsOf, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of("openeqa").make_rows(12, 1)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    lines = (json.dumps({"id": row["question_id"], "prediction": row["answer"]}) for row in rows)
    (tmp_path / "said.jsonl").write_text("\n".join(lines))
    command = ["score", "openeqa", "--rows", f"{tmp_path}/rows.json", "--predictions", f"{tmp_path}/said.jsonl"]
    with serving(by_prompt(lambda text: "Your mark: 4")) as log:
        judged = ["--judge", f"openai:judge@{log.url}", "--verdicts", f"{tmp_path}/verdicts.jsonl"]
        assert run([*command, *judged, "--protocol", "official", "--json", f"{tmp_path}/out.json"]) == 0
        assert run([*command, *judged, "--protocol", "all"]) == 0
        assert len(log.bodies) == 12
    assert json.loads((tmp_path / "out.json").read_text())["overall"] == 75
    assert len((tmp_path / "verdicts.jsonl").read_text().splitlines()) == 12
    assert run([*command, "--protocol", "official"]) != 0
    assert "needs a judge model" in capsys.readouterr().err


@pytest.mark.real
def test_released_questions(real_data: Path) -> None:
    """All 1,636, with gold, decorated and wrong replies, and a judge who gives 5 where the answer is held."""
    rows = json.loads((real_data / "openeqa_v0.json").read_text())
    benchmark = find_benchmark("openeqa")
    assert len(rows) == benchmark.expected_rows["v0"] == 1636
    assert sum("extra_answers" in row for row in rows) == 263
    gold = baseline_predictions(benchmark, "oracle", rows)
    result = score_benchmark(benchmark, rows, gold, resamples=50)
    assert result.overall == 100
    assert len(result.tasks) == 7
    sources = [
        len(score_benchmark(benchmark, rows, gold, subset=name, resamples=0).samples) for name in ("scannet", "hm3d")
    ]
    assert sources == [1079, 557]
    strict = score_benchmark(
        benchmark, rows, {key: f"<think>?</think>The {text}" for key, text in gold.items()}, "strict"
    )
    assert strict.overall is not None
    assert strict.overall > 99
    wrong = baseline_predictions(benchmark, "random", rows, 3)
    overlap = score_benchmark(benchmark, rows, wrong, resamples=0)
    assert overlap.overall is not None
    assert 1 < overlap.overall < 15

    rng = random.Random(1)
    mixed = {key: text if rng.random() < 0.5 else wrong[key] for key, text in gold.items()}
    mixed = {key: mixed[key] for key in sorted(mixed)[:400]}

    def mark(text: str) -> str:
        answer = text[text.rindex("Answer: ") + 8 :].split("\n")[0]
        return f"Your mark: {5 if text.rsplit('Response: ', 1)[1].strip() == cut_reply(answer) else 1}"

    with serving(by_prompt(mark)) as log:
        judged = score_benchmark(with_judge(benchmark, quick(log.url)), rows, mixed, "official", resamples=0)
    assert sum(judged.missing.values()) == 1236
    assert judged.overall is not None
    assert 100 * 170 / 1636 < judged.overall < 100 * 240 / 1636
