"""VGGT's camera head: camera tokens of all frames to pose encodings, refined a few times.

Source: VGGT (arXiv 2503.11651, 3.3); parameter names as in the released weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spaceland.models.blocks import Block, BlockConfig

NUM_ITERATIONS = 4
_POSE_DIM = 9


class CameraHead(nn.Module):
    """Each round sees what the last one said, modulates the camera tokens by it, and adds a correction."""

    def __init__(self, dim: int, num_heads: int, num_layers: int = 4, mlp_ratio: int = 4) -> None:
        super().__init__()
        block = BlockConfig(dim=dim, num_heads=num_heads, mlp_dim=mlp_ratio * dim)
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, _POSE_DIM))
        self.token_norm = nn.LayerNorm(dim)
        self.trunk = nn.Sequential(*(Block(block) for _ in range(num_layers)))
        self.trunk_norm = nn.LayerNorm(dim)
        self.embed_pose = nn.Linear(_POSE_DIM, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        self.pose_branch = _PoseBranch(dim)

    def forward(
        self, camera_tokens: Float[Tensor, "s d"], num_iterations: int = NUM_ITERATIONS
    ) -> Float[Tensor, "i s 9"]:
        """Pose encodings (`pose_encoding`) after every round, the best one last; fields of view are not negative."""
        tokens = self.token_norm(camera_tokens)[None]
        plain = F.layer_norm(tokens, tokens.shape[-1:], eps=1e-6)
        pose = self.empty_pose_tokens.expand(1, len(camera_tokens), -1)
        total = torch.zeros_like(pose)
        rounds = []
        for _ in range(num_iterations):
            shift, scale, gate = self.poseLN_modulation(self.embed_pose(pose)).chunk(3, dim=-1)
            x = tokens + gate * (plain * (1 + scale) + shift)
            total = total + self.pose_branch(self.trunk_norm(self.trunk(x)))
            rounds.append(torch.cat([total[0, :, :7], F.relu(total[0, :, 7:])], dim=-1))
            # A round learns from its own error only, and builds on what was said before it.
            pose = total = total.detach()
        return torch.stack(rounds)


class _PoseBranch(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, dim // 2)
        self.fc2 = nn.Linear(dim // 2, _POSE_DIM)

    def forward(self, x: Float[Tensor, "b s d"]) -> Float[Tensor, "b s 9"]:
        return self.fc2(F.gelu(self.fc1(x)))
