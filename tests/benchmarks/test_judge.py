"""A judge behind real HTTP on this machine: what it is asked, what is kept, and what a failure leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_judge import by_prompt, quick

from chat_server import cut, fail, reply, serving
from spaceland.benchmarks import ScoreError, find_benchmark, score_benchmark
from spaceland.benchmarks.judge import Judge, JudgeError, open_judge, with_judge
from spaceland.chat.types import Generation
from spaceland.cli import run

GREEDY = Generation(max_tokens=8)
SEEDED = Generation(max_tokens=8, temperature=0.2, seed=1234)


def test_prompts_are_asked_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "verdicts.jsonl"
    prompts = [f"mark {k % 40}" for k in range(90)]
    with serving(by_prompt(lambda text: text.split()[-1])) as log:
        assert quick(log.url, path).ask(prompts, int, SEEDED) == [k % 40 for k in range(90)]
        assert len(log.bodies) == 40
        assert {(b["temperature"], b["seed"], b["max_tokens"]) for b in log.bodies} == {(0.2, 1234, 8)}
        assert quick(log.url, path).ask(prompts, int, SEEDED) == [k % 40 for k in range(90)]
        assert len(log.bodies) == 40
        # Other settings are another verdict.
        quick(log.url, path).ask(prompts[:1], int, GREEDY)
        assert len(log.bodies) == 41
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in kept}) == 41
    # The server is gone, the verdicts are not.
    assert quick(log.url, path).ask(prompts[:3], int, SEEDED) == [0, 1, 2]


def test_a_run_that_was_cut_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    with serving(by_prompt(lambda text: "7")) as log:
        quick(log.url, path).ask(["a", "b"], int, GREEDY)
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"key": "abc", "te')
        assert quick(log.url, path).ask(["a", "b", "c"], int, GREEDY) == [7, 7, 7]
        assert len(log.bodies) == 3
    assert path.read_bytes().startswith(whole)
    assert len(path.read_text().splitlines()) == 3
    path.write_text("[]\n")
    with pytest.raises(JudgeError, match="line 1: not a verdict"):
        quick(log.url, path)


def test_unreadable_answers_are_asked_again_with_other_seeds(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    with serving(reply("well"), reply("maybe 3"), reply("4")) as log:
        assert quick(log.url, path).ask(["a"], int, SEEDED) == [4]
        assert [body["seed"] for body in log.bodies] == [1234, 1235, 1236]
        assert quick(log.url, path).ask(["a"], int, SEEDED) == [4]
        assert len(log.bodies) == 3
    with serving(by_prompt(lambda text: "no idea" if text == "b" else "5")) as log:
        with pytest.raises(JudgeError, match=r"no verdict on 1 of 2 answers; the first: 'no idea' holds no verdict"):
            quick(log.url).ask(["c", "b"], int, SEEDED)
        assert len(log.bodies) == 4


def test_a_server_that_fails_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    with serving(reply("1"), fail(400, "too long")) as log, pytest.raises(JudgeError, match="too long") as error:
        quick(log.url, path, concurrency=1).ask(["a", "b", "c"], int, GREEDY)
    assert "on 2 of 3 answers" in str(error.value)
    assert "run the same again" in str(error.value)
    with serving(cut, by_prompt(lambda text: "2")) as log:
        assert quick(log.url, path).ask(["a", "b", "c"], int, GREEDY) == [1, 2, 2]
        assert len(log.bodies) == 3


def test_one_model_without_many_at_a_time() -> None:
    class Echo:
        name = "echo"

        def complete(self, messages, generation):  # type: ignore[no-untyped-def]
            from spaceland.chat.types import Reply

            return Reply(messages[0].content[0], self.name)

    assert Judge(Echo()).ask(["3", "4", "3"], int, GREEDY) == [3, 4, 3]


def test_prompts_from_files(tmp_path: Path) -> None:
    (tmp_path / "mmbench.txt").write_text('Q {question} {{x}} {"mark": 1} R {prediction}')
    judge = open_judge("openai:judge@http://127.0.0.1:9/v1", prompts=tmp_path)
    filled = judge.fill("mmbench", "ours", question="{prediction}", prediction="b")
    assert filled == 'Q {prediction} {{x}} {"mark": 1} R b'
    assert judge.fill("other", "ours {question}", question="q") == "ours q"
    assert "given-wording" in judge.wording("mmbench")
    assert "own-wording" in judge.wording("mmbench", "mmbench-extra")
    with pytest.raises(JudgeError, match="no prompts in"):
        open_judge("openai:judge@http://127.0.0.1:9/v1", prompts=tmp_path / "none")
    with pytest.raises(JudgeError, match="a judge is a server"):
        open_judge("local:somewhere")


def test_blink_asks_only_about_replies_that_its_rule_cannot_read() -> None:
    row = {"sub_task": "Counting", "choices": ["left", "right"], "answer": "(B)", "prompt": "?", "question": "Where?"}
    rows = [{**row, "idx": str(k)} for k in range(5)]
    said = {"0": "(B)", "1": "the right one", "2": "the left one", "3": "no help"}
    with serving(
        by_prompt(lambda text: "(B)" if "right one" in text else "(A)" if "left one" in text else "(Z)")
    ) as log:
        benchmark = with_judge(find_benchmark("blink"), quick(log.url))
        result = score_benchmark(benchmark, rows, said, "official", resamples=0)
        asked = [body["messages"][0]["content"] for body in log.bodies]
    assert [sample.score for sample in result.samples] == [1, 1, 0, 0, 0]
    assert len(asked) == 3
    assert all(
        "Where?\nSelect from the following choices" in text and "(B) right\n(Z) Failed" in text for text in asked
    )
    assert "judge (temperature 0) as judge" in result.provenance["protocol"]
    assert [s.score for s in score_benchmark("blink", rows, said, resamples=0).samples] == [1, 0, 0, 0, 0]


def test_gpt_score_counts_wins_ties_and_losses() -> None:
    """A judge who always likes our answer, the other one, or what it sees first."""
    rows = [
        {"question_id": f"val-scene0011-{k}", "question": "Where is it?", "answers": ["here"], "opponent": "there"}
        for k in range(60)
    ]
    said = {row["question_id"]: "here" for row in rows}

    def shares(answer: Callable[[str], str]) -> dict[str, float | None]:
        with serving(by_prompt(answer)) as log:
            benchmark = with_judge(find_benchmark("gptscore"), quick(log.url))
            result = score_benchmark(benchmark, rows, said, "official", resamples=20)
        assert result.overall == pytest.approx(result.groups["win"] + result.groups["tie"] / 3)  # type: ignore[operator]
        return result.groups

    def side_of(words: str) -> Callable[[str], str]:
        return lambda text: re.search(rf"^([AB]): {words}$", text, re.MULTILINE)[1]  # type: ignore[index]

    assert shares(side_of("here")) == {"win": 100, "tie": 0, "loss": 0}
    assert shares(side_of("there")) == {"win": 0, "tie": 0, "loss": 100}
    assert shares(lambda text: "tie.") == {"win": 0, "tie": 100, "loss": 0}
    first = shares(lambda text: "A")
    assert 25 < first["win"] < 75  # type: ignore[operator]


def test_gpt_score_has_the_points_of_the_paper() -> None:
    """543 wins, 145 ties, 312 losses of 1,000 are printed as 1,774; 74, 243, 683 as 465."""
    kinds = {"win": "a chair", "tie": "a lamp", "loss": "no"}

    def overall(wins: int, ties: int) -> float | None:
        names = ["win"] * wins + ["tie"] * ties + ["loss"] * (1000 - wins - ties)
        rows = [
            {"question_id": str(k), "question": "?", "answers": ["a chair"], "opponent": kinds[name]}
            for k, name in enumerate({"win": "loss", "tie": "win", "loss": "win"}[name] for name in names)
        ]
        said = {str(k): "sofa" if name == "loss" else "a chair" for k, name in enumerate(names)}
        result = score_benchmark("gptscore", rows, said, resamples=0)
        assert result.groups["win"] == pytest.approx(wins / 10)
        return result.overall

    assert overall(543, 145) == pytest.approx(100 * 1774 / 3000)
    assert overall(74, 243) == pytest.approx(100 * 465 / 3000)


def test_gpt_score_takes_the_other_system_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"question_id": str(k), "question": "What is it?", "answers": ["a chair"]} for k in range(3)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    for name, words in (("ours", "a chair"), ("theirs", "a table")):
        lines = (json.dumps({"id": str(k), "prediction": words}) for k in range(3))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    command = ["score", "gptscore", "--rows", f"{tmp_path}/rows.json", "--predictions", f"{tmp_path}/ours.jsonl"]
    assert run([*command, "--opponent", f"{tmp_path}/theirs.jsonl", "--json", f"{tmp_path}/out.json"]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["overall"] == 100
    assert run(command) != 0
    assert "has no 'opponent'" in capsys.readouterr().err


def test_protocols_that_need_a_judge_say_so() -> None:
    with pytest.raises(ScoreError, match="the protocol 'official' of openeqa needs a judge model: --judge openai:NAME"):
        score_benchmark("openeqa", [], {}, "official")
    with pytest.raises(ScoreError, match="site has no protocol 'official'; it has official-no-judge"):
        score_benchmark("site", [], {}, "official")


COLUMNS = {"question": "Where?", "A": "left of it", "B": "right of it", "category": "location_above", "answer": "B"}
CHOICES = {
    "mmsi": {"question_type": "MSR", "question": "Where?\nOptions: A: left of it, B: right of it", "answer": "B"},
    "allangles": COLUMNS,
    "3dsrbench": COLUMNS,
}


@pytest.mark.parametrize("name", list(CHOICES))
def test_vlmevalkit_asks_a_judge_where_its_rule_finds_nothing(name: str) -> None:
    """By rule: a letter, an option's text, a refusal. By judge: all else, of which Z is wrong."""
    rows = [{**CHOICES[name], "index": str(k), "id": str(k)} for k in range(7)]
    said = ["B", "to the right of it", "Cannot determine the answer", "to starboard", "to port", "who knows"]
    replies = dict(zip("012345", said, strict=True))
    letters = {"to starboard": "B", "to port": " (A).", "who knows": "Z"}
    with serving(by_prompt(lambda text: next(v for k, v in letters.items() if f"Answer: {k}\n" in text))) as log:
        result = score_benchmark(with_judge(find_benchmark(name), quick(log.url)), rows, replies, "official")
        asked = [body["messages"][0]["content"] for body in log.bodies]
        assert {(body["temperature"], body["max_tokens"]) for body in log.bodies} == {(0.0, 1024)}
    assert [sample.score for sample in result.samples] == [1, 1, 0, 1, 0, 0, 0]
    assert len(asked) == 3
    assert all("Where?" in text and "A. left of it\nB. right of it\n" in text for text in asked)
    told = result.provenance["deviations"]
    assert {"own-wording", "no-guess", "judge-by-letter", "five-words"} <= set(told)
    default = find_benchmark(name).protocol()
    assert default.name == "official-no-judge"


def test_mmsi_reads_its_own_form_first() -> None:
    rows = [{**CHOICES["mmsi"], "id": str(k)} for k in range(2)]
    with serving(by_prompt(lambda text: "A")) as log:
        replies = {"0": "It could be A or ``B``", "1": "``B is right``"}
        benchmark = with_judge(find_benchmark("mmsi"), quick(log.url))
        result = score_benchmark(benchmark, rows, replies, "official", resamples=0)
        assert [sample.score for sample in result.samples] == [1, 0]
        assert len(log.bodies) == 1


def test_a_judge_that_names_no_letter_stops_the_run() -> None:
    rows = [{**COLUMNS, "index": "0"}]
    with serving(by_prompt(lambda text: "A, or rather B")) as log:
        with pytest.raises(JudgeError, match="gave no verdict on 1 of 1"):
            score_benchmark(with_judge(find_benchmark("allangles"), quick(log.url)), rows, {"0": "there"}, "official")
        assert len(log.bodies) == 3


def test_a_released_prompt_for_choices_can_be_given() -> None:
    rows = [{**COLUMNS, "index": "0"}]
    with serving(by_prompt(lambda text: "B" if text == "Where?|A. left of it\nB. right of it|there" else "A")) as log:
        judge = quick(log.url, templates={"choice": "{question}|{options}|{prediction}"})
        result = score_benchmark(with_judge(find_benchmark("allangles"), judge), rows, {"0": "there"}, "official")
    assert result.overall == 100
    assert "given-wording" in result.provenance["deviations"]
