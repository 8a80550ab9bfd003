"""The nearest marked cell, against trying them all."""

import numpy as np
import pytest

from spaceland.visibility.nearest_cell import MAX_REACH, nearest_owners


def plain(owners: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """For every cell the least (square, owner) of all marked cells."""
    cells = np.indices(owners.shape).reshape(3, -1).T
    marked = np.argwhere(owners >= 0)
    names = owners[tuple(marked.T)].astype(np.int64)
    squares = ((cells[:, None] - marked[None]) ** 2).sum(2)
    best = (squares * 2**20 + names).min(1) if len(marked) else np.full(len(cells), 2**40)
    square, owner = best // 2**20, best % 2**20
    far = square > reach**2
    owner[far], square[far] = -1, reach**2 + 1
    return owner.reshape(owners.shape), square.reshape(owners.shape)


@pytest.mark.parametrize("reach", [0, 1, 3, 6, 40])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.05, 1.0])
def test_same_as_trying_them_all(reach: int, share: float) -> None:
    rng = np.random.default_rng(reach)
    shape = 14, 9, 11
    owners = np.where(rng.random(shape) < share, rng.integers(0, 5, shape), -1).astype(np.int32)
    owners[owners == 4] = 65535
    found = nearest_owners(owners, reach)
    for ours, truth in zip(found, plain(owners, reach), strict=True):
        assert ours.dtype == np.int32
        np.testing.assert_array_equal(ours, truth)


def test_turned_and_mirrored_grids_have_turned_and_mirrored_answers() -> None:
    owners = np.full((8, 9, 10), -1, np.int32)
    owners[1, 4, 5], owners[5, 4, 5] = 7, 2  # as far from (3, 4, 5) as each other
    owner, square = nearest_owners(owners, 5)
    assert owner[3, 4, 5] == 2 and square[3, 4, 5] == 4
    np.testing.assert_array_equal(nearest_owners(owners[::-1], 5)[0], owner[::-1])
    np.testing.assert_array_equal(nearest_owners(owners.transpose(2, 0, 1), 5)[0], owner.transpose(2, 0, 1))


def test_the_longest_reach_does_not_overflow() -> None:
    owners = np.full((MAX_REACH + 3, 1, 1), -1, np.int32)
    owners[0] = 65535
    owner, square = nearest_owners(owners, MAX_REACH)
    np.testing.assert_array_equal(square[:, 0, 0], np.minimum(np.arange(MAX_REACH + 3) ** 2, MAX_REACH**2 + 1))
    np.testing.assert_array_equal(owner[:, 0, 0], [65535] * (MAX_REACH + 1) + [-1] * 2)
    with pytest.raises(ValueError, match="a reach of 101 cells"):
        nearest_owners(owners, MAX_REACH + 1)
