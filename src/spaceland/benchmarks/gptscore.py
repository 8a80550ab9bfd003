"""GPT-Score of GPT4Scene: a judge compares answers to ScanQA questions with those of another system (Chat-Scene there).

A win gives 3 points, a tie 1, a loss 0: the paper's 543 / 145 / 312 of 1,000 questions are its 1,774 points, and 74 /
243 / 683 its 465 (so a loss does not cost a point). Here overall is the share of all points that could be had: 59.13
and 15.5.

Rows are those of ScanQA with the other system's answer as `opponent`, from a file of predictions. The paper names
GPT-4o as judge and prints no prompt; ours shows the two answers in an order that hangs on the row's id, so that a
judge who likes the first one gains neither side anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.cards import check_protocol
from spaceland.benchmarks.frames import MARKED, FramePolicy
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.openeqa import same_words, word_overlap
from spaceland.benchmarks.predictions import read_predictions
from spaceland.benchmarks.scanqa import question_class
from spaceland.benchmarks.text.answers import answers_of, answers_problem
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary
from spaceland.chat.types import Generation

POINTS = {"win": 3, "tie": 1, "loss": 0}
FRAMES: dict[str, FramePolicy] = {"official": MARKED}
PROMPTS = {"official": "{question} Answer the question using a single word or phrase."}
GENERATION = Generation(max_tokens=16, temperature=0.0, seed=1234)
JUDGE_MODEL = "gpt-4o"
JUDGE_PROMPT = """\
Two systems answered a question about a room. Below are the question, answers of people, and the two systems' answers. \
Which of the two agrees better with what the people said? Write only A, B, or TIE if both are as right or as wrong.

Question: {question}
Answers of people: {answers}
A: {first}
B: {second}
Better:"""


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """The ScanQA question as GPT4Scene asks it.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return PROMPTS["official"].format(question=row["question"])


def points(wins: int, ties: int) -> int:
    """Total points as the paper prints them.

    >>> points(543, 145), points(74, 243)
    (1774, 465)
    """
    return POINTS["win"] * wins + POINTS["tie"] * ties


def with_opponent(rows: Sequence[Row], files: Mapping[str, Path]) -> list[Row]:
    """Rows with the other system's answers; those without one are left as they are.

    Raises:
        ScoreError: the file of answers is broken.
    """
    if "opponent" not in files:
        return list(rows)
    said = read_predictions(files["opponent"])
    ids = {str(row.get("question_id")) for row in rows}
    if not ids & said.keys():
        raise ScoreError(f"{files['opponent']} has an answer to none of the {len(rows)} questions")
    return [
        {**row, "opponent": said[str(row["question_id"])]} if str(row.get("question_id")) in said else row
        for row in rows
    ]


class PointShares(TaskMeans):
    """The share of all points by kind of question; groups are the shares of wins, ties and losses."""

    def __call__(self, rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
        found = super().__call__(rows, scores)
        groups: dict[str, float | None] = {}
        for outcome in self._outcomes():
            groups |= outcome(rows, scores).tasks
        return Summary(found.overall, found.tasks, groups, found.other)

    def resampled(
        self, rows: Sequence[Row], scores: Sequence[RowScore], num: int, rng: np.random.Generator
    ) -> dict[tuple[str, str], Float[np.ndarray, "num"]]:
        found = super().resampled(rows, scores, num, rng)
        for outcome in self._outcomes():
            draws = outcome.resampled(rows, scores, num, rng)
            found |= {("groups", name): values for (part, name), values in draws.items() if part == "tasks"}
        return found

    @staticmethod
    def _outcomes() -> list[TaskMeans]:
        return [TaskMeans(lambda row, name=name: name, metric=name) for name in POINTS]


def ours_first(row: Row) -> bool:
    """Whether the judge sees our answer as A: by the row's id alone."""
    return hashlib.sha256(str(row["question_id"]).encode("utf-8", "surrogatepass")).digest()[0] % 2 == 0


def read_side(answer: str) -> str:
    """A, B or TIE.

    >>> read_side("b."), read_side(" Tie")
    ('B', 'TIE')

    Raises:
        ValueError: something else.
    """
    said = answer.strip().strip(".*\"'()").upper()
    if said not in ("A", "B", "TIE"):
        raise ValueError("neither A, B nor TIE")
    return said


def official(judge: Judge) -> Protocol:
    """GPT-Score by a judge."""

    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        asked = [k for k, reply in enumerate(replies) if reply is not None]
        prompts = [_judge_prompt(judge, rows[k], str(replies[k])) for k in asked]
        sides = dict(zip(asked, judge.ask(prompts, read_side, GENERATION), strict=True))
        results = {
            k: "tie" if side == "TIE" else "win" if (side == "A") == ours_first(rows[k]) else "loss"
            for k, side in sides.items()
        }
        return [_row_score(results.get(k)) for k in range(len(rows))]

    return Protocol(
        "official",
        f"GPT-Score (GPT4Scene, appendix) with {judge.about(GENERATION)}; published figures are by {JUDGE_MODEL}",
        score,
        _MEANS,
        {**_POINTS, "order": "which answer the judge sees first hangs on the row's id", **judge.wording("gptscore")},
    )


def _judge_prompt(judge: Judge, row: Row, reply: str) -> str:
    pair = (reply, str(row["opponent"]))
    first, second = pair if ours_first(row) else pair[::-1]
    return judge.fill(
        "gptscore", JUDGE_PROMPT, question=str(row["question"]), answers="; ".join(answers_of(row)),
        first=first, second=second,
    )  # fmt: skip


def _row_score(result: str | None) -> RowScore:
    """Without a reply nothing is won, and it is no loss against a judge either: all three are 0."""
    outcome = {name: float(name == result) for name in POINTS}
    return RowScore(POINTS[result] / POINTS["win"] if result else 0.0, outcome)


def _rule(measure: Callable[[str, Sequence[str]], float]) -> Callable[..., list[RowScore]]:
    """Win, tie or loss by a measure of both answers."""

    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        found = []
        for row, reply in zip(rows, replies, strict=True):
            if reply is None:
                found.append(_row_score(None))
                continue
            answers = answers_of(row)
            ours, theirs = measure(reply, answers), measure(str(row["opponent"]), answers)
            found.append(_row_score("win" if ours > theirs else "tie" if ours == theirs else "loss"))
        return found

    return score


def _problem(row: Row) -> str | None:
    opponent = (
        None if row.get("opponent") is not None else "has no 'opponent', the answer of the system to compare with"
    )
    return answers_problem(row) or opponent


_POINTS = {"points": "a win counts 3, a tie 1, a loss 0; overall is the share of 3 points a question"}
_MEANS = PointShares(question_class, overall="rows")
BENCHMARK = Benchmark(
    name="gptscore",
    title="GPT-Score",
    protocols=(
        Protocol(
            "official-no-judge", "whose words overlap more with the nearest answer (F1), in the place of the judge",
            _rule(word_overlap), _MEANS,
            {**_POINTS, "no-judge": "word overlap is no GPT-Score: do not compare it with published figures"},
        ),
        Protocol("strict", "who has the words of an answer and no others", _rule(same_words), _MEANS, _POINTS),
    ),
    row_id=lambda row: str(row["question_id"]),
    task_of=question_class,
    problem_of=_problem,
    expected_rows={"questions in the paper, which are not named": 1000},
    baseline=Baselines(gold=lambda row: answers_of(row)[0], pool_of=question_class),
    side_files={"opponent": "predictions of the system to compare with"},
    complete=with_opponent,
    judged={"official": official},
)  # fmt: skip
