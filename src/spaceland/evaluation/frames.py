"""The frame policy of a run: that of the benchmark's protocol, with another number or size where the user says so."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.known import ScoreError


def policy_of(
    module: ModuleType, protocol: str, num: int | None = None, long_side_px: int | None = None
) -> FramePolicy:
    """The frame policy of a benchmark's protocol (see `benchmarks.frames`).

    Args:
        module: The benchmark's module.
        protocol: Name of a protocol.
        num: Another number of frames.
        long_side_px: Another largest side.

    Raises:
        ScoreError: a number of frames that is none.
    """
    if num is not None and num < 1:
        raise ScoreError(f"{num} frames show nothing; give at least 1, or --blind to ask without pictures")
    table: dict[str, FramePolicy] = module.FRAMES
    policy = table.get(protocol) or table.get("official") or next(iter(table.values()), FramePolicy())
    if num is not None:
        policy = replace(policy, num=num, rule="evenly" if policy.rule == "all" else policy.rule)
    return replace(policy, long_side_px=long_side_px) if long_side_px else policy
