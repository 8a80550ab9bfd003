"""Geometry patches merged 2 x 2 into as many tokens as the model has, in its width: VG LLM's merger, with its names.

A norm per patch, then for `mlp` the four patches of a cell behind one another (order: row of the cell, column, row in
the cell, column in it, channel) through two layers; for `avg` their mean. That is the order in which Qwen merges its
own patches. (VG LLM, arXiv 2505.24625, section 3.2.)
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from spaceland.models.grid import MERGE

MergerKind = Literal["mlp", "avg"]


class GeometryMerger(nn.Module):
    """[s, r, c, D] patches to [s, r / 2, c / 2, hidden] tokens."""

    def __init__(self, dim: int, inner: int, hidden: int, kind: MergerKind = "mlp") -> None:
        super().__init__()
        self.kind = kind
        self.ln_q = nn.RMSNorm(dim, eps=1e-6)
        width = dim * MERGE**2 if kind == "mlp" else dim
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, hidden))

    def forward(self, patches: Float[Tensor, "s r c d"]) -> Float[Tensor, "s r2 c2 h"]:
        """Merge; an odd last row or column is left out."""
        num, rows, cols, dim = patches.shape
        rows, cols = rows // MERGE, cols // MERGE
        x = self.ln_q(patches[:, : rows * MERGE, : cols * MERGE])
        cells = x.reshape(num, rows, MERGE, cols, MERGE, dim).transpose(2, 3).reshape(num, rows, cols, MERGE**2, dim)
        return self.mlp(cells.flatten(-2) if self.kind == "mlp" else cells.mean(-2))
