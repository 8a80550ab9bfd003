"""Evaluation during training: answers to held-out rows, generated greedily and scored by the rules of SPAR-Bench."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from spaceland.benchmarks.known import benchmark_module
from spaceland.benchmarks.score import score_benchmark
from spaceland.chat.types import Message
from spaceland.errors import ChatError, SpacelandError
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.training.collate import TruthOf, chat_of
from spaceland.training.samples import Sample, load_sample
from spaceland.training.sources import Source

PROTOCOL = "strict"


def pick_rows(sources: Sequence[Source], count: int) -> list[Sample]:
    """So many samples that can be scored, the same ones each time: those whose ids have the smallest hashes."""
    left_out = benchmark_module("sparbench").BENCHMARK.left_out
    found: list[tuple[bytes, Source, int]] = []
    for source in sources:
        for (task, format), (numbers, _) in source.parts.items():
            if task == "chat" or format == "sentence":
                continue
            found += [(_order(source, number), source, number) for number in numbers]
    found.sort(key=lambda entry: entry[0])
    samples: list[Sample] = []
    for _, source, number in found:
        if len(samples) == count:
            break
        sample = source.sample(number)
        if sample.reference is not None and left_out(sample.reference) is None:
            samples.append(sample)
    return samples


def _order(source: Source, number: int) -> bytes:
    return hashlib.sha256(f"{source.name}:{number}".encode()).digest()


class AnswerScores:
    """Asks a model about fixed rows and scores what it says."""

    def __init__(
        self, samples: Sequence[Sample], *, batch: int, max_new_tokens: int, truth: TruthOf | None = None
    ) -> None:
        self._samples, self._batch, self._tokens, self._truth = samples, batch, max_new_tokens, truth

    def replies(self, model: GeometryVLM, samples: Sequence[Sample] | None = None) -> dict[str, str]:
        """Sample id -> what the model says; rows that cannot be opened have no reply."""
        samples = self._samples if samples is None else samples
        said: dict[str, str] = {}
        for start in range(0, len(samples), self._batch):
            chats, ids = [], []
            for sample in samples[start : start + self._batch]:
                try:
                    chat = chat_of(sample, load_sample(sample), self._truth)
                except SpacelandError:
                    continue
                chats.append([message for message in chat if message.role != "assistant"])
                ids.append(sample.id)
            try:
                said |= dict(zip(ids, self._ask(model, chats), strict=True))
            except ChatError:  # one of them is too long
                for id, chat in zip(ids, chats, strict=True):
                    with contextlib.suppress(ChatError):
                        said[id] = self._ask(model, [chat])[0]
        return said

    def _ask(self, model: GeometryVLM, chats: Sequence[Sequence[Message]]) -> list[str]:
        if not chats:
            return []
        batch = model.processor(chats, add_generation_prompt=True)
        out = model.generate(**batch, max_new_tokens=self._tokens, do_sample=False)
        texts = model.processor.tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return [text.strip() for text in texts]

    def share(self, rank: int, world: int) -> Sequence[Sample]:
        """The samples that one of several processes asks about."""
        return self._samples[rank::world]

    def scores(self, replies: Mapping[str, str]) -> dict[str, float]:
        """Mean score of all rows, and of each task and format, 0 to 100."""
        rows: list[dict[str, Any]] = [{**dict(sample.reference or {}), "id": sample.id} for sample in self._samples]
        if not rows:
            return {}
        result = score_benchmark("sparbench", rows, replies, protocol=PROTOCOL)
        by_task: dict[str, list[float]] = {}
        for scored in result.samples:
            by_task.setdefault(scored.task, []).append(scored.score)
        everything = [score for scores in by_task.values() for score in scores]
        figures = {"eval_score": 100 * sum(everything) / len(everything), "eval_answers": float(len(everything))}
        return figures | {f"eval_score/{task}": 100 * sum(s) / len(s) for task, s in sorted(by_task.items())}
