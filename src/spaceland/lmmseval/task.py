"""The functions of the tasks: what lmms-eval asks, and what it makes of the replies.

A document is a line of the index: benchmark and id. `process_results` scores a reply on its own; `aggregate` puts all
replies together and lets `spaceland score` speak, so a figure is the same in both to the last digit. lmms-eval takes
blanks off both ends of a reply before it scores it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from PIL import Image

from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.score import ScoreResult, score_benchmark
from spaceland.chat.types import Picture
from spaceland.evaluation.gallery import expected_answer
from spaceland.evaluation.plan import message_of
from spaceland.lmmseval.pictures import to_image, to_lmms
from spaceland.lmmseval.prepared import Prepared, load

_OF_ALL_ROWS = ("CIDEr",)
"""Metrics that weigh words by how many rows have them: a single row has none."""


class Sample(dict[str, Any]):
    """What the log says about a row under one figure: `id`, and `value` as in `per_sample` of `spaceland score` (0 to
    1; None where a row alone has none). What `aggregate` needs besides is kept out of the log."""

    def __init__(self, row_id: str, value: float | None, benchmark: str, figure: str, reply: str) -> None:
        super().__init__(id=row_id, value=value)
        self.benchmark, self.figure, self.reply = benchmark, figure, reply

    def __reduce__(self) -> tuple[Any, ...]:
        return Sample, (self["id"], self["value"], self.benchmark, self.figure, self.reply)


def doc_to_text(doc: Mapping[str, Any], lmms_eval_specific_kwargs: Mapping[str, Any] | None = None) -> str:
    """The protocol's words for a row."""
    return load(doc["benchmark"]).items[doc["id"]].prompt


def doc_to_visual(doc: Mapping[str, Any]) -> list[Image.Image]:
    """The protocol's frames, for models that take no messages; words before frames are lost on the way."""
    return [to_image(picture) for picture in _pictures(load(doc["benchmark"]), doc["id"])]


def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chat as `spaceland evaluate` sends it: frames, each after its label where the protocol has one, words."""
    prepared = load(doc["benchmark"])
    return to_lmms(message_of(prepared.items[doc["id"]], _pictures(prepared, doc["id"]), prepared.policy))


def _pictures(prepared: Prepared, row_id: str) -> list[Picture]:
    media = prepared.items[row_id].media
    return [] if media is None or prepared.cache is None else prepared.cache.load(media)[0]


def doc_to_target(doc: Mapping[str, Any]) -> str:
    """The expected answer in words."""
    prepared = load(doc["benchmark"])
    return expected_answer(prepared.benchmark, prepared.rows[doc["id"]])


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Sample]:
    """The samples of a row by figure, from its first reply."""
    prepared = load(doc["benchmark"])
    name, row_id, reply = doc["benchmark"], doc["id"], results[0]
    row = prepared.rows[row_id]
    scored = prepared.protocol.score([row], [reply])[0]
    # The rules of Scan2Cap look at all captions of an object, and its score is a CIDEr.
    alone = name != "scan2cap"
    task = prepared.benchmark.task_of(row)

    def value(figure: str) -> float | None:
        if not alone or figure.startswith(_OF_ALL_ROWS):
            return None
        if figure in ("overall", task):
            return scored.score
        return scored.metrics.get(figure)

    return {figure: Sample(row_id, value(figure), name, figure, reply) for figure in prepared.setup.figures}


def aggregate(samples: Sequence[Sample]) -> float | None:
    """A figure of all samples, 0 to 100 as `spaceland score` has it; None where none of them counts for it."""
    result = _score(samples[0].benchmark, tuple(sorted((sample["id"], sample.reply) for sample in samples)))
    figure = samples[0].figure
    if figure == "overall":
        return result.overall
    return result.groups[figure] if figure in result.groups else result.tasks.get(figure)


@lru_cache(maxsize=8)
def _score(benchmark: str, said: tuple[tuple[str, str], ...]) -> ScoreResult:
    """The result for replies by id; kept, since every figure of a task asks for the same one."""
    prepared = load(benchmark)
    replies = dict(said)
    if len(replies) < len(said):
        raise ScoreError(f"{benchmark} has {len(said) - len(replies)} rows with two replies; run it with one process")
    rows = [prepared.rows[row_id] for row_id in replies]
    return score_benchmark(prepared.benchmark, rows, replies, prepared.setup.protocol, resamples=0)
