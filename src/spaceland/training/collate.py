"""From planned samples to batches with labels.

A sample that turns out to be broken when it is opened (a damaged picture, more tokens than the stage allows, a text
with the model's control tokens) is never replaced by another: a grey picture without an answer stands in its place, so
it adds nothing to the loss, and the batch names it. Which samples are broken depends on the files alone, never on who
reads them or when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from spaceland.chat.types import Message
from spaceland.errors import ChatError, SceneError, SpacelandError
from spaceland.models.processor import CameraPicture, GeometryProcessor
from spaceland.training.augment import Window
from spaceland.training.masking import AnswerMarks
from spaceland.training.mixture import Order
from spaceland.training.samples import Loaded, Sample, View, load_sample
from spaceland.training.sources import Source

SKIPPED = "skipped"
"""Key of a batch with what was broken: (sample id, reason) pairs. It does not go to the model."""
_GREY: Any = Image.new("RGB", (56, 56), (128, 128, 128))
_NOWHERE = np.full((56, 56, 3), np.nan, np.float32)
# With points that are nowhere, so that an encoder that wants the truth has it of this picture too.
_STAND_IN = (
    Message("user", (CameraPicture(_GREY, None, _NOWHERE, np.eye(4)), ".")),  # type: ignore[arg-type]
    Message("assistant", (".",)),
)
TruthOf = Callable[[Sample, Sequence[View]], Sequence[CameraPicture]]
"""Adds true points and poses to the pictures of a sample, for the `oracle` encoder."""


@dataclass(frozen=True)
class Item:
    """A chat, or why there is none."""

    id: str
    chat: tuple[Message, ...] | None
    problem: str = ""


class PlannedSamples(Dataset):
    """The samples of a stage in their order; number k is opened when it is asked for."""

    def __init__(
        self,
        sources: Sequence[Source],
        order: Order,
        *,
        seed: str,
        window: Callable[[Random], Window] | None = None,
        hide_camera: float = 0.0,
        truth: TruthOf | None = None,
    ) -> None:
        self._sources, self._order, self._seed = sources, order, seed
        self._window, self._hide_camera, self._truth = window, hide_camera, truth

    def __len__(self) -> int:
        return len(self._order)

    def sample(self, k: int) -> Sample:
        """The k-th sample as its source tells it."""
        return self._sources[self._order.sources[k]].sample(self._order.numbers[k])

    def __getitem__(self, k: int) -> Item:
        source = self._sources[self._order.sources[k]]
        try:
            sample = self.sample(k)
        except SceneError as error:
            return Item(f"{source.name}:{self._order.numbers[k]}", None, str(error))
        try:
            loaded = load_sample(sample, self._window if source.augment else None, f"{self._seed}:{k}")
            hidden = self._hide_camera > 0 and Random(f"{self._seed}:{k}:camera").random() < self._hide_camera
            return Item(sample.id, chat_of(sample, loaded, self._truth, with_cameras=not hidden))
        except SpacelandError as error:
            return Item(sample.id, None, str(error))


def chat_of(
    sample: Sample, loaded: Loaded, truth: TruthOf | None = None, *, with_cameras: bool = True
) -> tuple[Message, ...]:
    """An opened sample as messages; where cameras are hidden, pictures have no intrinsics."""
    views = loaded.views
    pictures: Iterator[Any] = iter(
        truth(sample, views)
        if truth is not None
        else [CameraPicture(view.image, None if view.camera is None else view.camera.K) for view in views]
    )
    if not with_cameras:
        pictures = iter([replace(picture, K=None) for picture in pictures])
    return tuple(
        Message(role, tuple(part if isinstance(part, str) else next(pictures) for part in parts))
        for role, parts in loaded.turns
    )


@dataclass(frozen=True, eq=False)
class Collator:
    """Makes batches; called in the workers of the data loader."""

    processor: GeometryProcessor
    marks: AnswerMarks = field()

    @classmethod
    def of(cls, processor: GeometryProcessor) -> Collator:
        """With the marks of the processor's own template."""
        return cls(
            processor,
            AnswerMarks.of(
                processor.tokenizer,
                lambda chat: processor.text(chat, add_generation_prompt=False),
                lambda chat: processor.text(chat, add_generation_prompt=True),
            ),
        )

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        """A batch of the keys of `GeometryProcessor`, with labels and what was skipped."""
        chats: list[Sequence[Message] | None] = []
        skipped: list[tuple[str, str]] = []
        for item in items:
            problem = item.problem
            if item.chat is not None and any(
                self.marks.forbidden(part) for message in item.chat for part in message.content if isinstance(part, str)
            ):
                problem = "a text holds control tokens of the model"
            if problem or item.chat is None:
                skipped.append((item.id, problem))
            chats.append(None if problem else item.chat)
        try:
            batch = self._batch(chats)
        except ChatError:
            for k, chat in enumerate(chats):
                problem = self._problem(chat)
                if problem:
                    chats[k] = None
                    skipped.append((items[k].id, problem))
            batch = self._batch(chats)
        batch[SKIPPED] = skipped
        return batch

    def _batch(self, chats: Sequence[Sequence[Message] | None]) -> dict[str, Any]:
        batch = self.processor([chat or _STAND_IN for chat in chats], add_generation_prompt=False)
        answers = [sum(message.role == "assistant" for message in chat) if chat else 0 for chat in chats]
        batch["labels"] = self.marks.labels(batch["input_ids"], answers)
        return batch

    def _problem(self, chat: Sequence[Message] | None) -> str:
        if chat is not None:
            try:
                self.processor([chat], add_generation_prompt=False)
            except ChatError as error:
                return str(error)
        return ""
