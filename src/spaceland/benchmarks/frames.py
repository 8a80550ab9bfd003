"""Which frames a model is shown: how many, by which rule, how large, with which words before each.

A benchmark's module names the policies of its protocols in `FRAMES`; a protocol without one of its own takes that of
"official", else the first. The indices that were taken are kept with every reply, whatever the rule.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

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

    `label` is put before each picture with the number `index`, counted from `first`. `marked` frames carry the numbers
    of objects and come after a view from above; pictures made so must lie in the media folder (`spaceland mark`).
    `published` is what the protocol's code says, in its words.
    """

    num: int = 32
    rule: Rule = "evenly"
    long_side_px: int | None = None
    label: str = ""
    first: int = 0
    marked: bool = False
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


MARKED = FramePolicy(
    long_side_px=512,
    marked=True,
    published="GPT4Scene: 32 frames evenly spread, marked, after a bird's-eye view, longer side 512 px",
)
"""Frames of the protocols whose replies name objects by their marks."""
PLAIN = FramePolicy(published="none: models of this protocol see points or features; 32 frames evenly spread here")
"""Frames where nobody has said which."""
