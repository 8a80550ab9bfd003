"""Answers to chats, with what was computed for a clip kept for the next question about it.

Two things are kept, both found by the bytes of the pictures: a clip's fused tokens, which serve any words, and its
prefix (`spaceland.models.prefix`), which serves chats that also begin with the same words. The longest unused go
first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

from spaceland.chat.types import Picture
from spaceland.models.clip_tokens import ClipTokens
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.prefix import ClipPrefix, batch_after, encode_prefix, generate_after
from spaceland.models.processor import CameraPicture, Chat

Value = TypeVar("Value")


class _Latest(Generic[Value]):
    """The values that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> Value:
        self._values[key] = value
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value


class Answerer:
    """Generates for chats; not for several threads at a time."""

    def __init__(self, model: GeometryVLM, *, most_clips: int = 4) -> None:
        """Keep at most `most_clips` clips: 0.3 GB each at 32 frames in a model of 3 billion parameters."""
        self.model = model
        self._clips: _Latest[ClipTokens] = _Latest(most_clips)
        self._prefixes: _Latest[ClipPrefix] = _Latest(most_clips)

    def answer(self, chats: Sequence[Chat], **generation: Any) -> list[tuple[list[int], int]]:
        """New tokens of each chat, as they come out of `generate` up to its padding, and how long its prompt was.

        Chats that share pictures and beginning are answered together behind one prefix, the others as one batch.

        Args:
            chats: Each ends with a turn of the user.
            **generation: Settings of `generate` that give one answer per chat.

        Raises:
            ChatError: see `GeometryProcessor`.
        """
        groups: dict[tuple[Any, str], list[int]] = {}
        tails: dict[int, list[int]] = {}
        plain: list[int] = []
        for k, chat in enumerate(chats):
            pictures = clip_key(chat)
            if not pictures:
                plain.append(k)
                continue
            head, tails[k] = self.model.processor.split(chat, add_generation_prompt=True)
            groups.setdefault((pictures, head), []).append(k)
        # One chat alone becomes a prefix, as more questions may come. Of many clips at once each is asked about once.
        single = len(chats) == 1
        for key, places in list(groups.items()):
            if len(places) == 1 and not single and self._prefixes.get(key) is None:
                plain += groups.pop(key)
        answers: dict[int, tuple[list[int], int]] = {}
        for key, places in groups.items():
            self._clips.get(key[0])  # used now, whichever of the two serves it
            prefix = self._prefixes.get(key) or self._prefixes.put(key, self._prefix(key[0], chats[places[0]]))
            for together in [places] if prefix.takes_batches else [[k] for k in places]:
                batch = batch_after(self.model, prefix, [tails[k] for k in together])
                ids = generate_after(self.model, prefix, batch, **generation)
                answers |= self._cut(together, ids, batch)
        if plain:
            batch = self.model.processor([chats[k] for k in plain], add_generation_prompt=True)
            answers |= self._cut(plain, self.model.generate(**batch, **generation), batch)
        return [answers[k] for k in range(len(chats))]

    def _prefix(self, pictures: Hashable, chat: Chat) -> ClipPrefix:
        batch = self.model.processor([chat], add_generation_prompt=True)
        clip = self._clips.get(pictures)
        if clip is None:
            clip = self._clips.put(pictures, self.model.encode_batch(batch)[0])
        return encode_prefix(self.model, batch, clips=[clip])

    def _cut(self, places: list[int], ids: Any, batch: dict[str, Any]) -> dict[int, tuple[list[int], int]]:
        width = batch["input_ids"].shape[1]
        lengths = batch["attention_mask"].sum(1).tolist()
        return {k: (ids[row, width:].tolist(), int(lengths[row])) for row, k in enumerate(places)}


def clip_key(chat: Chat) -> tuple[str, ...]:
    """Digests of a chat's pictures in their order, intrinsics included; empty without pictures."""
    return tuple(_digest(part) for message in chat for part in message.content if not isinstance(part, str))


def _digest(part: Any) -> str:
    if isinstance(part, Picture):
        return hashlib.sha256(part.data + repr(part.K).encode()).hexdigest()
    image = part.image if isinstance(part, CameraPicture) else part
    digest = hashlib.sha256(f"{image.mode} {image.size} ".encode())
    digest.update(image.tobytes())
    if isinstance(part, CameraPicture):
        for array in (part.K, part.points, part.T_world_cam):
            digest.update(b"-" if array is None else array.tobytes())
    return digest.hexdigest()
