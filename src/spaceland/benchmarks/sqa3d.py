"""SQA3D: questions asked from a place in a room, with one short answer (test: 3,519 questions, 67 ScanNet scenes).

The released questions and annotations are two files that join on `question_id`; a row here holds both:

    {"question_id": 220602000002, "scene_id": "scene0380_00", "situation": "I am facing a window ...",
     "alternative_situation": ["...", "..."], "question": "What is behind me?", "answers": [{"answer": "door"}],
     "position": {"x": 0.1, "y": -0.8, "z": 0}, "rotation": {"_x": 0, "_y": 0, "_z": 0.7, "_w": 0.7}}

`split` ("val" or "test") may stand in a row; figures of each split are then given by name, because papers mix them:
Chat-Scene and GPT4Scene score val, Video-3D-LLM and LLaVA-3D test. Finding the place itself is a second track,
`spaceland.benchmarks.sqa3d_place`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from spaceland.benchmarks.clean import chat_scene_reply, clean, strict_text
from spaceland.benchmarks.frames import MARKED, PLAIN, FramePolicy
from spaceland.benchmarks.text.answers import (
    AnswerRule,
    answers_of,
    answers_problem,
    match_all,
    match_exact,
    match_first,
    match_unless_empty,
    match_words,
    mean_metric,
    released_fields,
    summarise_answers,
)
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

TYPES = ("what", "is", "how", "can", "which", "other")
EXPECTED_ROWS = {"test": 3519, "val": 3261}
SPLITS = {"chat-scene": "val", "video-3d-llm": "test", "llava-3d": "test", "leo": "test"}
"""Which split the figures published with a protocol are about."""
PROMPT = "{situation} {question} Answer the question using a single word or phrase."
FRAMES: dict[str, FramePolicy] = {
    "official": PLAIN,
    "chat-scene": MARKED,
    "video-3d-llm": FramePolicy(published="frames 32, rule uniform"),
}


def question_type(row: Row) -> str:
    """By the first letters of the question, so "Island ..." is an "is" question.

    Prepared rows hold situation and question in one text, and the type beside it: `sqa_type`, a number or a name.
    """
    known = row.get("sqa_type")
    if known in TYPES:
        return str(known)
    if isinstance(known, int) and 0 <= known < len(TYPES):
        return TYPES[known]
    start = str(row["question"]).lstrip().lower()
    return next((kind for kind in TYPES[:-1] if start.startswith(kind)), "other")


def prompt(row: Row, protocol: str = "official", seed: int = 0) -> str:
    """Situation and question. Chat-Scene draws one of three situations; here by seed and question id."""
    if row.get("prompt"):
        return str(row["prompt"])
    situations = [str(row["situation"]), *map(str, row.get("alternative_situation") or ())]
    chosen = zlib.crc32(f"{seed}:{row['question_id']}".encode()) % len(situations) if protocol == "chat-scene" else 0
    return PROMPT.format(situation=situations[chosen], question=row["question"])


def join_rows(questions: Sequence[Row], annotations: Sequence[Row], split: str | None = None) -> list[Row]:
    """Rows from the lists `questions` and `annotations` of the two released files, in the order of the annotations."""
    by_id: Mapping[object, Row] = {question["question_id"]: question for question in questions}
    named = {"split": split} if split else {}
    return [{**by_id[one["question_id"]], **one, **named} for one in annotations if one["question_id"] in by_id]


def match_loose(reply: str, references: Sequence[str]) -> tuple[float, None]:
    """The rule of the data set's own script for language models: part of the answer, or one common word, is enough."""
    for reference in references:
        if reply in reference or "".join(reply.split()) in "".join(reference.split()):
            return 1.0, None
        if not set(reply.split()).isdisjoint(reference.split()):
            return 1.0, None
    return 0.0, None


def _summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    summary = summarise_answers(rows, scores, question_type, TYPES)
    groups = dict(summary.groups)
    for split in sorted({str(row["split"]) for row in rows if row.get("split")}):
        part = [score for row, score in zip(rows, scores, strict=True) if str(row.get("split")) == split]
        for name in ("EM", "EM refined"):
            if name in part[0].metrics:
                groups[f"{name}/{split}"] = mean_metric(part, name)
    return Summary(summary.overall, summary.tasks, groups)


def _protocol(name: str, about: str, rule: AnswerRule, deviations: dict[str, str]) -> Protocol:
    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        return rule.score([answers_of(row) for row in rows], replies)

    return Protocol(name, about, score, _summarise, deviations)


_PREFIX = {"type-by-prefix": "question types are prefixes: 'Island ...' counts as an 'is' question"}
_SUBSTRING = {"substring-match": "refined match ignores word borders: 'able' matches 'table'"}

PROTOCOLS = (
    _protocol(
        "official",
        "Top-1 accuracy of the paper: the answer string itself, as its classifier chooses it",
        AnswerRule(match_exact, captions=False),
        {"raw-exact-match": "the answer is one of a closed list in the paper, so nothing is cleaned", **_PREFIX},
    ),
    _protocol(
        "video-3d-llm",
        "Video-3D-LLM llava/eval/eval_sqa3d.py on test: both cleaned, EM, mean over all rows and by type",
        AnswerRule(match_exact, reply=clean, reference=clean, captions=False),
        _PREFIX,
    ),
    _protocol(
        "chat-scene",
        "Chat-Scene and GPT4Scene utils/eval.py, on val: both cleaned, EM and refined EM, caption metrics on PTB words",
        AnswerRule(match_unless_empty, reply=chat_scene_reply, reference=clean),
        {
            "val-split": "the released preparation writes train and val only; other codes report test",
            "random-situation": "the prompt draws one of three situations; here by seed and question id",
            **_SUBSTRING,
            **_PREFIX,
        },
    ),
    _protocol(
        "leo",
        "LEO evaluator/sqa3d_eval.py: both cleaned, EM and refined EM, caption metrics without tokeniser",
        AnswerRule(match_first, reply=clean, reference=clean, ptb=False),
        {
            "empty-refined-1": "an empty prediction is part of any answer and gets refined EM 1",
            "no-tokeniser": "words are what spaces separate",
            **_SUBSTRING,
            **_PREFIX,
        },
    ),
    _protocol(
        "llava-3d",
        "LLaVA-3D llava/eval/sqa3d_evaluator.py, on test: both cleaned, EM and refined EM, no caption metrics",
        AnswerRule(match_all, reply=clean, reference=clean, captions=False),
        {
            "empty-refined-1": "an empty prediction is part of any answer and gets refined EM 1",
            **_SUBSTRING,
            **_PREFIX,
        },
    ),
    _protocol(
        "sqa3d-llm",
        "SQA3D LLM/eval_sqa3d_llm.py: prediction cleaned, right if part of the answer or with one word in common",
        AnswerRule(match_loose, reply=clean, captions=False),
        {
            "empty-is-right": "an empty prediction is part of any answer and scores 1",
            "one-common-word": "'left of it' is right where the answer is 'of course'",
            "raw-references": "only the prediction is cleaned; it changes no answer of the test split",
            **_PREFIX,
        },
    ),
    _protocol(
        "strict",
        "Both sides as PTB words without articles, numbers as words; refined EM at word borders; thoughts removed",
        AnswerRule(match_words, caption_reply=strict_text, caption_reference=strict_text, ptb=False),
        _PREFIX,
    ),
)

BENCHMARK = Benchmark(
    name="sqa3d",
    title="SQA3D",
    protocols=PROTOCOLS,
    row_id=lambda row: str(row["question_id"]),
    task_of=question_type,
    problem_of=answers_problem,
    expected_rows=EXPECTED_ROWS,
    adapt=released_fields,
    subsets={split: (lambda row, split=split: row.get("split") == split) for split in ("val", "test")},
)
