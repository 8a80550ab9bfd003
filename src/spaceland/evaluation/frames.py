"""Which frames a model is shown: how many, by which rule, how large, with which words before each.

The rules are those that the benchmarks' modules name in `FRAMES`; `--frames` changes the number only. The indices that
were taken are kept with every reply, whatever the rule.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any, Literal

import numpy as np

from spaceland.benchmarks.known import ScoreError
from spaceland.sampling import evenly

Rule = Literal["linspace", "linspace-last", "evenly", "all"]
_WORDS = {
    "linspace": "linspace(0, n - 1, k) cut to whole numbers; short videos repeat frames",
    "linspace-last": "linspace(0, n - 1, k) cut to whole numbers, and the last frame",
    "evenly": "floor(i n / k); all frames where there are no more than k",
    "all": "all pictures of the row, in order; of a video floor(i n / k)",
}


@dataclass(frozen=True, kw_only=True)
class FramePolicy:
    """`num` frames by `rule`; pictures whose longer side exceeds `long_side_px` are shrunk.

    `label` is put before each picture with the number `index`, counted from `first`. `published` is what the
    benchmark's module says, in its words; where it asks for more than frames (marks, a bird's-eye view), pictures made
    so must lie in the media folder.
    """

    num: int = 32
    rule: Rule = "evenly"
    long_side_px: int | None = None
    label: str = ""
    first: int = 0
    published: str = ""

    def indices(self, total: int) -> list[int]:
        """Frames of a video or folder with `total` of them, in the order in which they are shown.

        >>> FramePolicy(num=4, rule="linspace").indices(100), FramePolicy(num=4).indices(100)
        ([0, 33, 66, 99], [0, 25, 50, 75])
        """
        if self.rule in ("evenly", "all"):
            return evenly(total, self.num)
        found = np.linspace(0, total - 1, self.num).astype(int).tolist()
        return found + [total - 1] if self.rule == "linspace-last" and total - 1 not in found else found

    def to_json(self) -> dict[str, Any]:
        """For config and result files."""
        return asdict(self) | {"rule": _WORDS[self.rule]}


def policy_of(
    module: ModuleType, protocol: str, num: int | None = None, long_side_px: int | None = None
) -> FramePolicy:
    """The frame policy of a benchmark's protocol; without one of its own, that of the benchmark's first.

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
    table = getattr(module, "FRAMES", {})
    nested = {}
    if isinstance(table, dict):
        nested = {name: entry for name, entry in table.items() if isinstance(entry, dict)}
    if nested:
        entry = nested.get(protocol) or nested.get("official") or next(iter(nested.values()))
    else:
        entry = table if isinstance(table, dict) else {}
    words = str(entry.get("rule", ""))
    count = next((entry[key] for key in ("num", "frames", "num_frames") if isinstance(entry.get(key), int)), None)
    policy = FramePolicy(
        num=count or 32,
        rule=_rule(words, has_count=count is not None, default_linspace="linspace" in str(nested.get("official", ""))),
        long_side_px=next((entry[key] for key in ("long_side_px", "longer_side_px") if key in entry), None),
        label=str(entry.get("before_each", "")),
        first=int(entry.get("first", 0)),
        published=", ".join(f"{key} {value}" for key, value in entry.items()),
    )
    if num is not None:
        policy = replace(policy, num=num, rule="evenly" if policy.rule == "all" else policy.rule)
    return replace(policy, long_side_px=long_side_px) if long_side_px else policy


def _rule(words: str, *, has_count: bool, default_linspace: bool) -> Rule:
    if "linspace" in words:
        return "linspace"
    if "last frame" in words and default_linspace:
        return "linspace-last"
    if not has_count and ("of the row" in words or "row's images" in words):
        return "all"
    return "evenly"
