"""OpenEQA: open questions about rooms that were walked through (1,636: 1,079 in ScanNet, 557 in HM3D).

The released figure is LLM-Match: a model marks every answer from 1 to 5, and the mean of (mark - 1) / 4 counts. That
needs a judge and differs from judge to judge, so the default, `official-no-judge`, puts the overlap of words in the
place of the mark; it is a lower bound in spirit ("sofa" for "couch" gets nothing) and no published figure is of its
kind. With `--judge openai:MODEL@URL` there is the protocol `official`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.cards import GroupedMeans, check_protocol
from spaceland.benchmarks.clean import strict_words
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore
from spaceland.chat.types import Generation

CATEGORIES = (
    "attribute recognition", "functional reasoning", "object localization", "object recognition",
    "object state recognition", "spatial understanding", "world knowledge",
)  # fmt: skip
FRAMES: dict[str, FramePolicy] = {
    "official": FramePolicy(published="rule 50 frames for GPT-4V, 15 for Gemini, 20 for Claude, evenly spread")
}
PROMPTS = {"ours": "{question}\nAnswer the question using a single word or phrase."}
GENERATION = Generation(max_tokens=32, temperature=0.2, seed=1234)
JUDGE_MODEL = "gpt-4-1106-preview"
JUDGE_PROMPT = """\
You mark answers to questions about an indoor space. You see the question, the right answer{extra_note} and the \
response to mark. Give a whole number from 1 to 5: 5 if the response means the same as {right}, 1 if it is wrong or \
says something else, and 2 to 4 if it is right in part.

Write nothing but the mark, in the form "Your mark: 3".

Question: What is left of the door?
Answer: A tall plant
Response: a big plant in a pot
Your mark: 5

Question: What color is the rug?
Answer: Blue and white
Response: blue
Your mark: 3

Question: {question}
Answer: {answer}
{extra}Response: {prediction}
"""
_DIGITS = re.compile(r"[0-9]{1,9}")
_TAG = "Your mark:"


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """The question and how to answer, in words of ours: the released prompts are a page long for every model family.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return PROMPTS["ours"].format(question=row["question"])


def cut_reply(reply: str) -> str:
    """A reply without what follows its last full stop, as it is given to the judge.

    >>> cut_reply("A red chair. Hope this helps"), cut_reply("A red chair"), cut_reply("about 3.5 m")
    ('A red chair.', 'A red chair', 'about 3.')
    """
    end = reply.rfind(".")
    return reply[: end + 1] if 0 <= end < len(reply) - 1 else reply


def read_mark(answer: str) -> int:
    """The mark in a judge's answer: a bare number, or what follows "Your mark:" up to the end of the line.

    >>> read_mark("4"), read_mark("Fine.\\nYour mark: 2\\n")
    (4, 2)

    Raises:
        ValueError: there is none.
    """
    if _DIGITS.fullmatch(answer):
        return int(answer)
    _, tag, rest = answer.partition(_TAG)
    said = rest.split("\n", 1)[0].strip()
    if not tag or not _DIGITS.fullmatch(said):
        raise ValueError("no mark")
    return int(said)


def mark_score(mark: int) -> float:
    """0 to 1 of a mark; those outside of 1 to 5 are clipped."""
    return (min(max(mark, 1), 5) - 1) / 4


def judge_prompt(judge: Judge, row: Row, reply: str) -> str:
    """What the judge is asked; the released prompts are "mmbench" and, for rows with extra answers, "mmbench-extra"."""
    extra = row.get("extra_answers")
    values = {"question": str(row["question"]), "answer": str(row["answer"]), "prediction": cut_reply(reply)}
    if extra is None:
        return judge.fill("mmbench", JUDGE_PROMPT, **values, extra="", extra_note="", right="the answer")
    note = {"extra_note": ", other answers that are right too,", "right": "any of the answers"}
    others = f"Other answers: {'; '.join(map(str, extra))}\n"
    return judge.fill("mmbench-extra", JUDGE_PROMPT, **values, **note, extra=others, extra_answers=str(list(extra)))


def official(judge: Judge) -> Protocol:
    """LLM-Match by a judge."""

    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        asked = [k for k, reply in enumerate(replies) if reply is not None]
        prompts = [judge_prompt(judge, rows[k], str(replies[k])) for k in asked]
        marks = dict(zip(asked, judge.ask(prompts, read_mark, GENERATION), strict=True))
        return [
            RowScore(mark_score(marks[k]), {"mark": float(marks[k])}) if k in marks else RowScore(0.0, {"mark": None})
            for k in range(len(rows))
        ]

    return Protocol(
        "official",
        f"LLM-Match (open-eqa cfa3fce) with {judge.about(GENERATION)}; released figures are by {JUDGE_MODEL}",
        score,
        _MEANS,
        {
            **_CUT,
            "asked-again": "the released code stops at an answer without a mark; here the judge is asked three times "
            "with other seeds first",
            **judge.wording("mmbench", "mmbench-extra"),
        },
    )


def word_overlap(reply: str, answers: Sequence[str]) -> float:
    """Best F1 over the answers between the words of both, without articles and punctuation.

    >>> word_overlap("a big brown sofa", ["The brown sofa.", "couch"]), word_overlap("couch", ["sofa"])
    (0.8, 0.0)
    """
    said = Counter(strict_words(reply))
    best = 0.0
    for answer in answers:
        words = Counter(strict_words(answer))
        both = (said & words).total()
        best = max(best, 2 * both / (said.total() + words.total()) if both else 0.0)
    return best


def same_words(reply: str, answers: Sequence[str]) -> float:
    """1 where the words of the reply are those of an answer, in order."""
    said = strict_words(reply)
    return float(bool(said) and any(said == strict_words(answer) for answer in answers))


def answers_of(row: Row) -> list[str]:
    """The answer and those that are right too."""
    return [str(row["answer"]), *map(str, row.get("extra_answers") or ())]


def source_of(row: Row) -> str | None:
    """ScanNet or HM3D, by the episode."""
    episode = str(row.get("episode_history", "")).lower()
    return "ScanNet" if episode.startswith("scannet") else "HM3D" if episode.startswith("hm3d") else None


def _rule(measure: Callable[[str, Row], float]) -> Callable[[Sequence[Row], Sequence[Reply]], list[RowScore]]:
    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        return [
            RowScore(0.0 if reply is None else measure(reply, row)) for row, reply in zip(rows, replies, strict=True)
        ]

    return score


def _problem(row: Row) -> str | None:
    lacking = [name for name in ("question_id", "question", "answer", "category") if row.get(name) is None]
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    extra = row.get("extra_answers")
    return None if extra is None or isinstance(extra, list | tuple) else "has 'extra_answers' that are no list"


_CUT = {"cut-at-last-stop": "what follows the last full stop is cut before judging: 'about 3.5 m' becomes 'about 3.'"}
_MEANS = GroupedMeans(lambda row: str(row["category"]), overall="rows", by=source_of)
BENCHMARK = Benchmark(
    name="openeqa",
    title="OpenEQA",
    protocols=(
        Protocol(
            "official-no-judge", "F1 of words with the nearest answer in the place of the judge's mark",
            _rule(lambda reply, row: word_overlap(cut_reply(reply), answers_of(row))), _MEANS,
            {**_CUT, "no-judge": "word overlap is no LLM-Match: do not compare it with published figures"},
        ),
        Protocol(
            "strict", "the words of an answer and no others, thoughts before </think> put aside",
            _rule(lambda reply, row: same_words(reply, answers_of(row))), _MEANS,
        ),
    ),
    row_id=lambda row: str(row["question_id"]),
    task_of=lambda row: str(row["category"]),
    problem_of=_problem,
    expected_rows={"v0": 1636},
    subsets={
        "scannet": lambda row: source_of(row) == "ScanNet",
        "hm3d": lambda row: source_of(row) == "HM3D",
    },
    baseline=Baselines(gold=lambda row: str(row["answer"]), pool_of=lambda row: str(row["category"])),
    judged={"official": official},
)  # fmt: skip
