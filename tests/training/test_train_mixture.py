"""The order of samples: exact shares, full batches of one kind, similar lengths, nothing that depends on the moment."""

from __future__ import annotations

import math
from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaceland.errors import TrainingError
from spaceland.training.config import StageConfig
from spaceland.training.mixture import Order, estimated_tokens, make_order
from spaceland.training.sources import Source


def source(name: str, size: int, weight: float = 1.0, group: str = "3d", chars: int = 40) -> Source:
    numbers = array("q", range(size))
    lengths = array("I", (chars * (1 + k % 17) for k in range(size)))
    return Source(name, group, False, {("t", "f"): (numbers, weight)}, array("I", [1] * size), lengths, {}, size, str)


def stage(**changes: object) -> StageConfig:
    return StageConfig(**{"data": (), "train": (), "batch": 4, "group_by_length": False} | changes)  # type: ignore[arg-type]


def pairs(order: Order) -> list[tuple[int, int]]:
    return list(zip(order.sources, order.numbers, strict=True))


def test_weights_are_exact_over_epochs() -> None:
    sources = [source("a", 40), source("b", 40, 2.0), source("c", 40, 0.1), source("d", 10, 0.0)]
    order = make_order(sources, stage(epochs=10.0), 0, 10)
    seen = Counter(pairs(order))
    # Each of a ten times, of b twenty times, of c once: another tenth in every epoch.
    assert order.epoch_size == 124 and len(order) == 1240
    assert {seen[0, k] for k in range(40)} == {10} and {seen[1, k] for k in range(40)} == {20}
    assert {seen[2, k] for k in range(40)} == {1} and order.taken == {"a": 400, "b": 800, "c": 40, "d": 0}
    once = make_order(sources, stage(), 0, 10)
    assert len(once) == 124 and len(set(pairs(once))) == 84


def test_batches_are_full_and_of_one_kind() -> None:
    sources = [source("a", 10, group="3d"), source("b", 7, group="2d"), source("c", 5, group="3d")]
    order = make_order(sources, stage(epochs=3.0), 0, 10)
    assert len(order) == order.num_steps * 4
    groups = [{sources[k].group for k in order.sources[at : at + 4]} for at in range(0, len(order), 4)]
    assert all(len(group) == 1 for group in groups) and {"2d", "3d"} == set.union(*groups)
    seen = Counter(pairs(order))
    # Every sample of three epochs, and at most a batch of each kind more.
    assert all(seen[k, n] >= 3 for k, s in enumerate(sources) for n in range(len(s))) and len(order) - 66 < 8
    mixed = make_order(sources, stage(one_kind_per_batch=False, epochs=3.0), 0, 10)
    assert any(len({sources[k].group for k in mixed.sources[at : at + 4]}) == 2 for at in range(0, len(mixed), 4))


def test_length_grouping_saves_padding_and_loses_nothing() -> None:
    sources = [source("a", 640)]

    def padding(order: Order) -> int:
        lengths = [estimated_tokens(sources[0], n, 10) for n in order.numbers]
        return sum(4 * max(lengths[at : at + 4]) - sum(lengths[at : at + 4]) for at in range(0, len(lengths), 4))

    plain, grouped = (make_order(sources, stage(group_by_length=flag), 0, 10) for flag in (False, True))
    assert sorted(pairs(plain)) == sorted(pairs(grouped)) and padding(grouped) < padding(plain) / 5
    # Batches of all lengths come in no order of length.
    firsts = [estimated_tokens(sources[0], n, 10) for n in grouped.numbers[::4]]
    assert firsts != sorted(firsts) and max(firsts[:20]) > 100 > min(firsts[:20])


def test_the_order_depends_on_seed_and_stage_alone() -> None:
    sources = [source("a", 30), source("b", 30, 0.5)]
    first = make_order(sources, stage(epochs=2.5), 0, 10)
    assert pairs(first) == pairs(make_order(sources, stage(epochs=2.5), 0, 10))
    assert pairs(first) != pairs(make_order(sources, stage(epochs=2.5), 1, 10))
    assert pairs(first) != pairs(make_order(sources, stage(epochs=2.5, name="other"), 0, 10))
    # More steps only add to fewer.
    long, short = (make_order(sources, stage(max_steps=steps), 0, 10) for steps in (40, 12))
    assert pairs(long)[:48] == pairs(short) and len(long) == 160
    assert len(make_order(sources, stage(), 0, 10, max_steps=3)) == 12


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 3.0]), st.sampled_from("ab")),
        min_size=1, max_size=5,
    ),
    batch=st.integers(1, 9), epochs=st.integers(1, 4), one_kind=st.booleans(), by_length=st.booleans(),
)  # fmt: skip
def test_any_mixture_keeps_its_shares_its_kinds_and_full_batches(
    parts: list[tuple[int, float, str]], batch: int, epochs: int, one_kind: bool, by_length: bool
) -> None:
    sources = [source(f"s{k}", *part) for k, part in enumerate(parts)]
    how = stage(epochs=float(epochs), batch=batch, one_kind_per_batch=one_kind, group_by_length=by_length)
    if round(sum(size * weight for size, weight, _ in parts)) < 1:
        with pytest.raises(TrainingError, match="no samples left"):
            make_order(sources, how, 0, 10)
        return
    order = make_order(sources, how, 0, 10)
    assert len(order) == order.num_steps * batch
    batches = [list(order.sources[at : at + batch]) for at in range(0, len(order), batch)]
    if one_kind:
        assert all(len({sources[k].group for k in one}) == 1 for one in batches)
    seen = Counter(pairs(order))
    owed = [math.floor(epochs * size * weight + 1e-6) for size, weight, _ in parts]
    for k, (size, _, _) in enumerate(parts):
        # Its share, and at most what fills the last batch of its kind; no sample twice before all have been seen.
        assert owed[k] <= order.taken[f"s{k}"] < owed[k] + batch
        counts = [seen[k, n] for n in range(size)]
        assert sum(counts) == order.taken[f"s{k}"] and max(counts) - min(counts) <= 1
    assert len(order) - sum(owed) < batch * (len({group for _, _, group in parts}) if one_kind else 1)


def test_long_samples_are_left_out_and_counted() -> None:
    sources = [source("a", 34)]
    order = make_order(sources, stage(max_tokens=100), 0, 10)
    assert order.too_long == {"a": 16} and max(estimated_tokens(sources[0], n, 10) for n in order.numbers) <= 100
    with pytest.raises(TrainingError, match="all are longer than 5 tokens"):
        make_order(sources, stage(max_tokens=5), 0, 10)


def test_fewer_samples_than_a_batch() -> None:
    order = make_order([source("a", 3)], stage(batch=8), 0, 10)
    assert order.num_steps == 1 and Counter(order.numbers).keys() == {0, 1, 2}
    assert len(make_order([source("a", 3)], stage(batch=8, max_steps=2), 0, 10)) == 16
