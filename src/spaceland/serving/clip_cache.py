"""What was computed for the pictures of a request, kept for the next question about the same pictures.

Keys hold the content of the pictures. The least recently used go first when the cache is larger than it may
be; a clip that is larger than all of it is not kept. Used by the thread that owns the model; others may read `stats`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from spaceland.serving.engine import CacheStats


class ClipCache:
    """Values by key, at most so many bytes of tensors."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = self._hits = self._misses = 0

    @property
    def stats(self) -> CacheStats:
        """As it stands."""
        return CacheStats(hits=self._hits, misses=self._misses, clips=len(self._kept), bytes=self._bytes)

    def get(self, key: Hashable) -> Any | None:
        """What is kept under a key; it is the most recently used one now."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def peek(self, key: Hashable) -> Any | None:
        """The same for other threads: nothing changes."""
        found = self._kept.get(key)
        return None if found is None else found[0]

    def note(self, *, hit: bool) -> None:
        """Count whether a clip was found."""
        self._hits += hit
        self._misses += not hit

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keep something of so many bytes, and let go of the oldest where there is no room."""
        self._bytes -= self._kept.pop(key, (None, 0))[1]
        if size > self._most:
            return
        self._bytes += size
        self._kept[key] = (value, size)
        while self._bytes > self._most:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone


def num_bytes(value: Any) -> int:
    """Bytes of the tensors in a value."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return num_bytes(value.values())
    if is_dataclass(value) and not isinstance(value, type):
        return num_bytes(getattr(value, item.name) for item in fields(value))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return sum(num_bytes(item) for item in value)
    return 0
