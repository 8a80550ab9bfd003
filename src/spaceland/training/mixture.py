"""Which samples are trained on, and in which order: decided before the first step, from weights and a seed alone.

Every part of a source (its rows of one task and format) is a stream without end: its samples in random order, then all
of them in another random order, and so on. An epoch takes weight * size samples from each stream, so that a weight of
0.1 shows one tenth now and another tenth in the next epoch, and a weight of 2 shows every sample twice. An epoch is
shuffled, then cut into batches:

- with `one_kind_per_batch` a batch holds samples of one group; what does not fill a batch waits for the next epoch, and
  is filled up from its own group at the very end;
- with `group_by_length` samples of similar length meet: within runs of 64 batches samples are sorted by length before
  they are cut, and then the batches are shuffled. Samples are not packed into one row: rotary positions of pictures are
  computed per row, and only some attention kernels know where a packed sample ends.

All batches are full. Number k of the order always is the same sample, whatever number of processes divides the batches.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from spaceland.errors import TrainingError
from spaceland.training.config import StageConfig
from spaceland.training.sources import Source

CHARS_PER_TOKEN = 4
_RUN = 64
"""Batches that are sorted by length together: similar enough, and still well mixed."""


@dataclass(frozen=True, eq=False)
class Order:
    """Sample number `numbers[k]` of source `sources[k]` is the k-th; `epoch_size` samples are an epoch.

    `taken` counts samples by source, `too_long` those that were left out for their length, by source.
    """

    sources: array[int]
    numbers: array[int]
    num_steps: int
    batch: int
    epoch_size: int
    tokens_per_picture: int
    taken: dict[str, int]
    too_long: dict[str, int]

    def __len__(self) -> int:
        return len(self.numbers)


def estimated_tokens(source: Source, number: int, tokens_per_picture: int) -> int:
    """Length of a sample without opening it: enough to sort by."""
    return source.num_pictures[number] * tokens_per_picture + source.num_chars[number] // CHARS_PER_TOKEN


def make_order(
    sources: Sequence[Source], stage: StageConfig, seed: int, tokens_per_picture: int, max_steps: int | None = None
) -> Order:
    """Plan a stage.

    Args:
        sources: In the order of the stage's data.
        stage: Epochs or steps, size and kind of batches.
        seed: Of the run.
        tokens_per_picture: For estimating lengths.
        max_steps: Steps in place of the stage's.

    Raises:
        TrainingError: weights or lengths leave nothing.
    """
    streams, too_long = [], {}
    groups = [source.group if stage.one_kind_per_batch else "" for source in sources]
    for k, source in enumerate(sources):
        too_long[source.name] = 0
        for key, (numbers, weight) in source.parts.items():
            fits = [n for n in numbers if estimated_tokens(source, n, tokens_per_picture) <= stage.max_tokens]
            too_long[source.name] += len(numbers) - len(fits)
            if fits and weight > 0:
                codes = array("q", (number * len(sources) + k for number in fits))
                streams.append(_Stream(codes, groups[k], weight, f"{seed}:{stage.name}:{source.name}:{'/'.join(key)}"))
    size = round(sum(stream.weight * len(stream.codes) for stream in streams))
    if size < 1:
        raise TrainingError(
            f"stage '{stage.name}' has no samples left: weights are 0, or all are longer than {stage.max_tokens} tokens"
        )

    def length(code: int) -> int:
        return estimated_tokens(sources[code % len(sources)], code // len(sources), tokens_per_picture)

    planner = _Planner(streams, groups, stage, f"{seed}:{stage.name}", length if stage.group_by_length else None)
    steps = max_steps or stage.max_steps
    codes = planner.epochs(stage.epochs) if steps is None else planner.steps(steps)
    picked = array("H", (code % len(sources) for code in codes))
    counts = Counter(picked)
    return Order(
        sources=picked,
        numbers=array("q", (code // len(sources) for code in codes)),
        num_steps=len(codes) // stage.batch,
        batch=stage.batch,
        epoch_size=size,
        tokens_per_picture=tokens_per_picture,
        taken={source.name: counts[k] for k, source in enumerate(sources)},
        too_long=too_long,
    )


class _Stream:
    """Samples of one part, again and again, each time in another order. A code is a sample of a source."""

    def __init__(self, codes: array[int], group: str, weight: float, seed: str) -> None:
        self.codes, self.group, self.weight = codes, group, weight
        self._seed, self._round, self._owed = seed, 0, 0.0
        self._left: list[int] = []

    def epoch(self) -> list[int]:
        """The samples of an epoch; fractions of a sample are owed to the next."""
        self._owed += self.weight * len(self.codes)
        count = math.floor(self._owed + 1e-9)
        self._owed -= count
        return self.take(count)

    def take(self, count: int) -> list[int]:
        """The next samples."""
        taken: list[int] = []
        while len(taken) < count:
            if not self._left:
                self._left = list(self.codes)
                Random(f"{self._seed}:{self._round}").shuffle(self._left)
                self._round += 1
            part = self._left[: count - len(taken)]
            del self._left[: len(part)]
            taken += part
        return taken


class _Planner:
    """Cuts epochs into full batches."""

    def __init__(
        self,
        streams: list[_Stream],
        groups: Sequence[str],
        stage: StageConfig,
        seed: str,
        length: Callable[[int], int] | None,
    ) -> None:
        self._groups = groups
        self._streams, self._batch, self._seed, self._length = streams, stage.batch, seed, length
        self._waiting: dict[str, list[int]] = {stream.group: [] for stream in streams}
        self._epoch = 0

    def steps(self, count: int) -> array[int]:
        """Samples of so many batches."""
        codes = array("q")
        while len(codes) < count * self._batch:
            codes.extend(self._next(1.0, last=False))
        return codes[: count * self._batch]

    def epochs(self, count: float) -> array[int]:
        """Samples of so many epochs; the last batch of each group is filled up."""
        codes = array("q")
        whole = math.ceil(count)
        for k in range(whole):
            codes.extend(self._next(min(1.0, count - k), last=k == whole - 1))
        return codes

    def _next(self, share: float, *, last: bool) -> list[int]:
        """Batches of the next epoch, or of the first `share` of it."""
        rng = Random(f"{self._seed}:epoch:{self._epoch}")
        self._epoch += 1
        batches: list[list[int]] = []
        samples = [code for stream in self._streams for code in stream.epoch()]
        rng.shuffle(samples)
        for code in samples[: max(1, round(share * len(samples)))]:
            self._waiting[self._groups[code % len(self._groups)]].append(code)
        for group, codes in self._waiting.items():
            if last and len(codes) % self._batch:
                codes += self._fill(group, -len(codes) % self._batch, rng)
            whole = len(codes) // self._batch * self._batch
            ready, self._waiting[group] = codes[:whole], codes[whole:]
            for start in range(0, whole, _RUN * self._batch):
                run = ready[start : start + _RUN * self._batch]
                if self._length is not None:
                    run.sort(key=self._length)
                batches += [run[at : at + self._batch] for at in range(0, len(run), self._batch)]
        rng.shuffle(batches)
        return [code for batch in batches for code in batch]

    def _fill(self, group: str, count: int, rng: Random) -> list[int]:
        streams = [stream for stream in self._streams if stream.group == group]
        sizes = [stream.weight * len(stream.codes) for stream in streams]
        return [code for stream in rng.choices(streams, sizes, k=count) for code in stream.take(1)]
