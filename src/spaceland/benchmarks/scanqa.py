"""ScanQA: questions about a scanned room with free answers (val: 4,675 questions, 71 ScanNet scenes).

    {"scene_id": "scene0011_00", "question_id": "val-scene0011-0", "question": "What color is the chair?",
     "answers": ["brown", "dark brown"], "object_ids": [8], "object_names": ["chair"]}

Five codes score it, and the same predictions differ by a factor of two in exact match and 50 points of CIDEr between
them: they clean neither, one or both sides, and use the PTB tokeniser or not. `official` is the scorer of the data set.
CIDEr is x 100 as papers print it, so its maximum is 1000; METEOR and SPICE are None without Java.

A reply that as a whole is a JSON list of texts holds ranked answers, the best first. Its first is the answer for every
metric of every protocol; `official` also reports EM@10 from the first ten, None where no reply is such a list.
"""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.benchmarks.clean import chat_scene_reply, clean, strict_text
from spaceland.benchmarks.frames import MARKED, PLAIN, FramePolicy
from spaceland.benchmarks.text.answers import (
    AnswerRule,
    answers_of,
    answers_problem,
    best_answer,
    match_all,
    match_exact,
    match_first,
    match_unless_empty,
    match_words,
    one_line,
    released_fields,
    summarise_answers,
    unchanged,
    with_exact_match_at_ten,
)
from spaceland.benchmarks.text.fvalue import f_value
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

CLASSES = ("Place", "Number", "Color", "Object nature", "Object", "Other")
_SIGNS = (
    ("Where", "Place"), ("How many", "Number"), ("What color", "Color"), ("What is the color", "Color"),
    ("What shape", "Object nature"), ("What type", "Object nature"), ("What kind", "Object nature"),
    ("What is", "Object"),
)  # fmt: skip

PROMPTS = {
    "chat-scene": "{question} Answer the question using a single word or phrase.",
    "video-3d-llm": "{question} Answer the question simply.",
}
FRAMES: dict[str, FramePolicy] = {
    "official": PLAIN,
    "chat-scene": MARKED,
    "video-3d-llm": FramePolicy(published="frames 32, rule uniform"),
}


def question_class(row: Row) -> str:
    """The kind of question by the words in it, case-sensitive and in the official order."""
    question = str(row["question"])
    return next((kind for sign, kind in _SIGNS if sign in question), "Other")


def prompt(row: Row, protocol: str = "official") -> str:
    """The question as a protocol's code asks it. The official model takes none; it gets the most used wording."""
    if row.get("prompt"):
        return str(row["prompt"])
    return PROMPTS.get(protocol, PROMPTS["chat-scene"]).format(question=row["question"])


def _protocol(name: str, about: str, rule: AnswerRule, deviations: dict[str, str], *, at_ten: bool = False) -> Protocol:
    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        references = [answers_of(row) for row in rows]
        scores = rule.score(references, [best_answer(reply) for reply in replies])
        return with_exact_match_at_ten(scores, references, replies) if at_ten else scores

    return Protocol(name, about, score, _summarise, deviations)


def _summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    return summarise_answers(rows, scores, question_class, CLASSES)


def _without_stops(text: str) -> str:
    return text.rstrip(".")


def _cleaned_line(text: str) -> str:
    return one_line(clean(text)).strip()


PROTOCOLS = (
    _protocol(
        "official",
        "ATR-DBI scripts/score.py: raw strings for EM and F-value, PTB words for caption metrics, x 100",
        AnswerRule(match_exact, caption_reply=one_line, caption_reference=one_line, more={"F-value": f_value}),
        {
            "raw-exact-match": "case, articles and a final full stop count: 'Brown.' is not 'brown'",
            "ranked-in-the-reply": "EM@10 is of replies that are JSON lists of texts, and null where none is one; "
            "among such a plain reply is a list of one",
            "empty-f-value": "the released F-value divides by zero on an empty reply; here it is 0",
            "lemma-rules": "base forms by rules of ours, equal to WordNet on all words of ScanQA val",
        },
        at_ten=True,
    ),
    _protocol(
        "chat-scene",
        "Chat-Scene and GPT4Scene utils/eval.py: prediction cleaned, references raw, PTB words",
        AnswerRule(
            match_unless_empty,
            reply=chat_scene_reply,
            caption_reference=lambda text: one_line(text).strip(),
        ),
        {
            "raw-references": "the line that cleans the references is overwritten, so a reference such as '2 chairs' "
            "can never be matched exactly",
            "empty-scores-0": "an empty prediction is neither exact nor refined match",
            "substring-match": "refined match ignores word borders: 'able' matches 'table'",
        },
    ),
    _protocol(
        "leo",
        "LEO evaluator/scanqa_eval.py: both cleaned, no tokeniser, EM and refined EM",
        AnswerRule(match_first, reply=clean, reference=clean, ptb=False),
        {
            "first-hit-decides": "a reference that holds the answer ends the search, and a later equal one is not seen",
            "empty-refined-1": "an empty prediction is part of any reference and gets refined EM 1",
            "no-tokeniser": "words are what spaces separate; cleaning leaves commas, colons and hyphens on words",
            "substring-match": "refined match ignores word borders: 'able' matches 'table'",
        },
    ),
    _protocol(
        "video-3d-llm",
        "Video-3D-LLM (and Spatial-MLLM) llava/eval/eval_scanqa.py: final stops off, no tokeniser, case kept",
        AnswerRule(match_exact, ptb=False, caption_reply=_without_stops, caption_reference=unchanged),
        {
            "raw-exact-match": "EM is taken before the final full stop is removed: 'brown.' is not 'brown'",
            "case-kept": "'Brown' and 'brown' are different words in every metric",
            "no-tokeniser": "'chair,' and 'chair' are different words",
        },
    ),
    _protocol(
        "llava-3d",
        "LLaVA-3D and VLM-3R llava/eval/scanqa_evaluator.py: both cleaned, PTB words",
        AnswerRule(match_all, reply=clean, reference=clean, caption_reply=clean, caption_reference=_cleaned_line),
        {
            "empty-refined-1": "an empty prediction is part of any reference and gets refined EM 1",
            "substring-match": "refined match ignores word borders: 'able' matches 'table'",
            "tv-upper-case": "cleaning writes TV in capitals; the tokeniser makes it small again",
        },
    ),
    _protocol(
        "strict",
        "Both sides as PTB words without articles, numbers as words; refined EM at word borders; thoughts removed",
        AnswerRule(
            match_words,
            caption_reply=strict_text,
            caption_reference=strict_text,
            ptb=False,
            more={"F-value": lambda reply, texts: f_value(strict_text(reply), [strict_text(text) for text in texts])},
        ),
        {},
    ),
)

BENCHMARK = Benchmark(
    name="scanqa",
    title="ScanQA",
    protocols=PROTOCOLS,
    row_id=lambda row: str(row["question_id"]),
    task_of=question_class,
    problem_of=answers_problem,
    expected_rows={"val": 4675},
    adapt=released_fields,
)
