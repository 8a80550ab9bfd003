"""VGGT written down straight from the paper and the released layout, for comparison with the fast one.

Works on the released tensors alone. Attention is an explicit softmax, rotations are complex numbers, all frames go at
once, every layer is kept, the heads loop.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


class PlainVggt:
    """Everything in the precision of the weights; `heads` and `vit_heads` count attention heads."""

    def __init__(self, weights: dict[str, torch.Tensor], heads: int, vit_heads: int, patch: int = 14) -> None:
        self.w, self.heads, self.vit_heads, self.patch = weights, heads, vit_heads, patch

    def layers(self, frames: torch.Tensor) -> list[torch.Tensor]:
        """All layers [s, p, 2d], special tokens first."""
        rows, cols = frames.shape[2] // self.patch, frames.shape[3] // self.patch
        patches = self.vit(frames)
        num = len(frames)
        sequences = []
        for f in range(num):
            slot = 0 if f == 0 else 1
            special = [self.w["aggregator.camera_token"][0, slot], self.w["aggregator.register_token"][0, slot]]
            sequences.append(torch.cat([*special, patches[f]]))
        places = [(0, 0)] * 5 + [(r + 1, c + 1) for r in range(rows) for c in range(cols)]
        out = []
        index = 0
        while f"aggregator.frame_blocks.{index}.norm1.weight" in self.w:
            name = f"aggregator.frame_blocks.{index}."
            sequences = [self.block(name, s, places, self.heads, 1e-5) for s in sequences]
            within = torch.stack(sequences)
            name = f"aggregator.global_blocks.{index}."
            together = self.block(name, torch.cat(sequences), places * num, self.heads, 1e-5)
            sequences = list(together.chunk(num))
            out.append(torch.cat([within, torch.stack(sequences)], dim=-1))
            index += 1
        return out

    def vit(self, frames: torch.Tensor) -> torch.Tensor:
        """Normalised patch tokens [s, n, d]."""
        p = "aggregator.patch_embed."
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (frames - mean[:, None, None]) / std[:, None, None]
        x = F.conv2d(x, self.w[p + "patch_embed.proj.weight"], self.w[p + "patch_embed.proj.bias"], stride=self.patch)
        rows, cols = x.shape[-2:]
        table = self.w[p + "pos_embed"][0]
        side = math.isqrt(len(table) - 1)
        if (rows, cols) == (side, side):
            grid = table[1:]
        else:
            grid = table[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
            grid = F.interpolate(grid, (rows, cols), mode="bicubic", antialias=True)[0].flatten(1).T
        out = []
        for frame in x.flatten(2).mT:
            tokens = torch.cat([self.w[p + "cls_token"][0] + table[:1], frame + grid])
            tokens = torch.cat([tokens[:1], self.w[p + "register_tokens"][0], tokens[1:]])
            index = 0
            while f"{p}blocks.{index}.norm1.weight" in self.w:
                tokens = self.block(f"{p}blocks.{index}.", tokens, None, self.vit_heads, 1e-6)
                index += 1
            out.append(self.norm(p + "norm.", tokens, 1e-6)[5:])
        return torch.stack(out)

    def poses(self, camera: torch.Tensor, heads: int) -> torch.Tensor:
        """Pose encodings [s, 9] after four rounds; `camera` [s, d] is the camera tokens of the last layer."""
        p = "camera_head."
        tokens = self.norm(p + "token_norm.", camera, 1e-5)
        total = None
        for _ in range(4):
            said = self.w[p + "empty_pose_tokens"][0].expand(len(camera), 9) if total is None else total
            modulation = self.linear(p + "poseLN_modulation.1.", F.silu(self.linear(p + "embed_pose.", said)))
            shift, scale, gate = modulation.chunk(3, dim=-1)
            plain = (tokens - tokens.mean(-1, keepdim=True)) / (
                tokens.var(-1, correction=0, keepdim=True) + 1e-6
            ).sqrt()
            x = gate * (plain * (1 + scale) + shift) + tokens
            index = 0
            while f"{p}trunk.{index}.norm1.weight" in self.w:
                x = self.block(f"{p}trunk.{index}.", x, None, heads, 1e-5)
                index += 1
            x = F.gelu(self.linear(p + "pose_branch.fc1.", self.norm(p + "trunk_norm.", x, 1e-5)))
            change = self.linear(p + "pose_branch.fc2.", x)
            total = change if total is None else total + change
        return torch.cat([total[:, :7], total[:, 7:].clamp_min(0)], dim=-1)

    def dense(self, p: str, layers: list[torch.Tensor], rows: int, cols: int) -> torch.Tensor:
        """Raw maps [s, c, h, w] of the dense head `p`, from patch tokens of four layers."""

        def conv(name: str, x: torch.Tensor, **options) -> torch.Tensor:
            return F.conv2d(x, self.w[p + name + ".weight"], self.w.get(p + name + ".bias"), **options)

        def residual(name: str, x: torch.Tensor) -> torch.Tensor:
            x = x.relu()
            return x + conv(name + ".conv2", conv(name + ".conv1", x, padding=1).relu(), padding=1)

        def grown(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            return F.interpolate(x, size, mode="bilinear", align_corners=True)

        levels = []
        for k, tokens in enumerate(layers):
            x = self.norm(p + "norm.", tokens, 1e-5).mT.unflatten(-1, (rows, cols))
            x = placed(conv(f"projects.{k}", x), cols / rows)
            if k < 2:
                name = f"{p}resize_layers.{k}."
                x = F.conv_transpose2d(x, self.w[name + "weight"], self.w[name + "bias"], stride=4 if k == 0 else 2)
            elif k == 3:
                x = conv("resize_layers.3", x, stride=2, padding=1)
            levels.append(conv(f"scratch.layer{k + 1}_rn", x, padding=1))
        x = levels[3]
        for k in (4, 3, 2, 1):
            name = f"scratch.refinenet{k}."
            if k < 4:
                x = x + residual(name + "resConfUnit1", levels[k - 1])
            size = levels[k - 2].shape[-2:] if k > 1 else (8 * rows, 8 * cols)
            x = conv(name + "out_conv", grown(residual(name + "resConfUnit2", x), size))
        x = grown(conv("scratch.output_conv1", x, padding=1), (self.patch * rows, self.patch * cols))
        x = conv("scratch.output_conv2.0", placed(x, cols / rows), padding=1).relu()
        return conv("scratch.output_conv2.2", x)

    def block(self, name: str, x: torch.Tensor, places: list | None, heads: int, eps: float) -> torch.Tensor:
        """One block over the tokens [n, d] of one sequence."""
        x = x + self.w[name + "ls1.gamma"] * self.attention(
            name + "attn.", self.norm(name + "norm1.", x, eps), places, heads
        )
        y = F.gelu(self.linear(name + "mlp.fc1.", self.norm(name + "norm2.", x, eps)))
        return x + self.w[name + "ls2.gamma"] * self.linear(name + "mlp.fc2.", y)

    def attention(self, name: str, x: torch.Tensor, places: list | None, heads: int) -> torch.Tensor:
        """Softmax of the scaled products, head by head."""
        q, k, v = self.linear(name + "qkv.", x).chunk(3, dim=-1)
        size = x.shape[-1] // heads
        out = []
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            qh, kh = q[:, part], k[:, part]
            if name + "q_norm.weight" in self.w:
                qh, kh = self.norm(name + "q_norm.", qh, 1e-5), self.norm(name + "k_norm.", kh, 1e-5)
            if places is not None:
                qh, kh = turned(qh, places), turned(kh, places)
            out.append(torch.softmax(qh @ kh.T / math.sqrt(size), dim=-1) @ v[:, part])
        return self.linear(name + "proj.", torch.cat(out, dim=-1))

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """x W' + b."""
        return x @ self.w[name + "weight"].T + self.w[name + "bias"]

    def norm(self, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
        """Layer norm, spelt out."""
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()
        return x * self.w[name + "weight"] + self.w[name + "bias"]


def turned(x: torch.Tensor, places: list[tuple[int, int]]) -> torch.Tensor:
    """First half of the channels turned by the row, second by the column, pairs (k, k + n/2) as complex numbers."""
    halves = []
    for axis, half in enumerate(x.chunk(2, dim=-1)):
        n = half.shape[-1]
        angle = torch.tensor([[place[axis] * 100 ** (-2 * k / n) for k in range(n // 2)] for place in places])
        pairs = torch.complex(half[:, : n // 2], half[:, n // 2 :]) * torch.exp(1j * angle)
        halves += [pairs.real, pairs.imag]
    return torch.cat(halves, dim=-1)


def placed(x: torch.Tensor, aspect: float) -> torch.Tensor:
    """`x` plus the maps of image positions, cell by cell."""
    _, channels, height, width = x.shape
    n = channels // 4
    half_x, half_y = aspect / math.hypot(1, aspect), 1 / math.hypot(1, aspect)
    maps = torch.zeros(channels, height, width)
    for row in range(height):
        for col in range(width):
            u = half_x * (2 * col - (width - 1)) / width
            v = half_y * (2 * row - (height - 1)) / height
            values = []
            for at in (u, v):
                angles = [at * 100 ** (-k / n) for k in range(n)]
                values += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            maps[:, row, col] = torch.tensor(values)
    return x + 0.1 * maps
