"""Our chat models as models of lmms-eval.

    --model spaceland --model_args model=local:PATH            or openai:NAME@URL, geometry:PATH, ...
    --model spaceland_replay --model_args predictions=replies.jsonl

Both take chats (`doc_to_messages`), also those of lmms-eval's own tasks: pictures as they are, of videos `frames`
frames. A request that fails stops the run, since lmms-eval has no word for a row without an answer and would score it
as wrong. This module imports lmms-eval and is imported by nothing of ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from lmms_eval.api.instance import GenerationResult, TokenCounts
from lmms_eval.api.model import lmms

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.predictions import predictions_of, read_table
from spaceland.chat.open_model import HOW, ModelOptions, open_model, parse_model
from spaceland.chat.types import ChatModel, Generation, Message, Reply
from spaceland.errors import ChatError, SpacelandError
from spaceland.lmmseval.pictures import from_lmms
from spaceland.progress import progress_bar

_MAX_TOKENS = 512


class _Chat(lmms):
    """What both share: only generation, in several processes where accelerate started them."""

    is_simple = False

    def __init__(self, unknown: Iterable[str]) -> None:
        super().__init__()
        wrong = sorted(set(unknown) - {"max_batch_size"})
        if wrong:
            raise ChatError(f"--model_args has '{wrong[0]}', which this model does not take; see docs/lmms_eval.md")
        self.device = "cpu"
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import Accelerator

            self.accelerator = Accelerator()
            self.device = self.accelerator.device
            self._rank, self._world_size = self.accelerator.process_index, self.accelerator.num_processes

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        raise NotImplementedError("models of spaceland write answers; they give no likelihood of a text")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        raise NotImplementedError("models of spaceland answer one request at a time, no rounds")


class SpacelandChat(_Chat):
    """Any model of `spaceland evaluate`: `model` is its specification (`spaceland.chat.open_model`).

    `batch_size` rows at a time for models on this machine, `concurrency` requests at a time for servers; `frames` of a
    video where a task hands over videos; pictures are shrunk to `max_side` pixels where it is given.
    """

    def __init__(
        self,
        model: str | None = None,
        batch_size: int | str = 1,
        device: str | None = None,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        concurrency: int = 4,
        frames: int = 32,
        max_side: int | None = None,
        key_variable: str = "OPENAI_API_KEY",
        timeout_s: float = 300.0,
        **others: Any,
    ) -> None:
        super().__init__(others)
        if model is None:
            raise ChatError(f"--model_args has no 'model'; there give what follows --model in: {HOW}")
        if not str(batch_size).isdigit() or int(batch_size) < 1:
            raise ChatError(f"give a --batch_size of 1 or more, not '{batch_size}'")
        spec = parse_model(model)
        self._model: ChatModel = open_model(
            spec,
            ModelOptions(
                key_variable=key_variable,
                read_s=float(timeout_s),
                concurrency=int(concurrency),
                device=device or (str(self.device) if self._world_size > 1 else "auto"),
                dtype=dtype,
            ),
        )
        self._at_once = int(concurrency) if spec.kind == "openai" else int(batch_size)
        self._policy = FramePolicy(num=int(frames), long_side_px=None if max_side is None else int(max_side))

    def generate_until(self, requests: Sequence[Any]) -> Iterator[GenerationResult]:
        """A reply for every request, in order, as they come, so lmms-eval can write each to its cache.

        Raises:
            ChatError: a request failed.
            SceneError: a picture or video cannot be read.
        """
        with progress_bar("asking", len(requests)) as advance:
            for settings, same in groupby(requests, key=lambda request: request.args[2]):
                for batch in _batches(same, self._at_once):
                    chats = [from_lmms(self._messages(request), self._policy) for request in batch]
                    for reply in self._ask(chats, generation_of(settings)):
                        if not isinstance(reply, Reply):
                            raise reply
                        used = reply.usage
                        counts = TokenCounts(used.get("prompt_tokens"), used.get("completion_tokens"), None)
                        yield GenerationResult(reply.text, counts)
                    advance(len(batch), "")

    def _messages(self, request: Any) -> Sequence[Mapping[str, Any]]:
        _, doc_to_messages, _, doc_id, task, split = request.args
        return doc_to_messages(self.task_dict[task][split][doc_id])

    def _ask(self, chats: Sequence[Sequence[Message]], generation: Generation) -> Sequence[Reply | SpacelandError]:
        model: Any = self._model
        if hasattr(model, "complete_many"):
            return model.complete_many(chats, generation)

        def one(chat: Sequence[Message]) -> Reply | SpacelandError:
            try:
                return model.complete(chat, generation)
            except SpacelandError as error:
                return error

        with ThreadPoolExecutor(len(chats)) as pool:
            return list(pool.map(one, chats))


class SpacelandReplay(_Chat):
    """Says what a file of predictions says (`id`, `prediction`), for the tasks of spaceland: replies of any system."""

    def __init__(self, predictions: str, batch_size: int | str = 1, device: str | None = None, **others: Any) -> None:
        super().__init__(others)
        self._path = predictions
        table = read_table(Path(predictions))
        if table and "prompt_sha256" in table[0]:
            # A run of `spaceland evaluate`: where a row was asked again, its last line counts.
            table = list({str(line.get("id")): line for line in table}.values())
        self._replies = predictions_of(table, predictions)

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """The prediction for every request.

        Raises:
            ChatError: there is none, or a task is not one of ours.
        """
        replies = []
        for request in requests:
            *_, doc_id, task, split = request.args
            doc = self.task_dict[task][split][doc_id]
            if "benchmark" not in doc or "id" not in doc:
                raise ChatError(f"{task} is no task of spaceland, so its rows cannot be matched with predictions")
            if doc["id"] not in self._replies:
                raise ChatError(f"{self._path} has no prediction for '{doc['id']}' of {task}")
            replies.append(self._replies[doc["id"]])
        return replies


def generation_of(settings: Mapping[str, Any]) -> Generation:
    """How to generate from `generation_kwargs` of a task."""
    tokens = settings.get("max_new_tokens") or settings.get("max_tokens") or _MAX_TOKENS
    temperature = float(settings.get("temperature") or 0.0)
    return Generation(int(tokens), temperature, 0 if temperature > 0 else None)


def _batches(requests: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for request in requests:
        batch.append(request)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
