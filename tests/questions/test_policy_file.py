"""Limits of the policy from a file: known ones are taken, others are named."""

from __future__ import annotations

import pytest

from spaceland.errors import SourceError
from spaceland.questions.policy import AmbiguityPolicy, policy_with


def test_named_limits_change_and_the_others_stay() -> None:
    policy = policy_with(
        {"min_overlap": 0.2, "max_depth_m": 6, "excluded_labels": ["wall"], "unique_target_label": False}
    )
    assert (policy.min_overlap, policy.max_depth_m, policy.excluded_labels) == (0.2, 6.0, ("wall",))
    assert not policy.unique_target_label
    assert policy.max_overlap == AmbiguityPolicy().max_overlap
    assert policy_with({}) == AmbiguityPolicy()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_overlp": 0.2}, "no limit 'min_overlp'; did you mean min_overlap"),
        ({"min_overlap": "0.2"}, "min_overlap is '0.2'; expected something like 0.15"),
        ({"min_overlap": float("nan")}, "min_overlap is nan"),
        ({"min_overlap": True}, "min_overlap is True"),
        ({"num_video_frames": 8.5}, "num_video_frames is 8.5; expected something like 32"),
        ({"excluded_labels": "wall"}, "excluded_labels is 'wall'"),
        ({"unique_target_label": 1}, "unique_target_label is 1; expected something like True"),
    ],
)
def test_wrong_limits_are_named(changes: dict, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        policy_with(changes)
