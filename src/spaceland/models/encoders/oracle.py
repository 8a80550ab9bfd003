"""The truth as an encoder: an upper bound for what geometry can be worth, never a result.

It looks at no picture. Each patch says where the surface behind it is, and each frame from where and whither it looks,
both in the camera axes of the clip's first frame, as sines and cosines of many wavelengths. A model that does not get
better with this will not get better with what a real encoder estimates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.models.encoders.frames import check_frames, check_layers
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures, GeometryPrediction

LONGEST_M, SHORTEST_M = 64.0, 0.5
"""Wavelengths: at the longest no two places of a room look the same, at the shortest 5 cm differ clearly."""
NUM_WAVES = 8
_DIRECTION_M = 4.0  # a unit direction is written like a place so far away
_POINT, _CAMERA = 3 * 2 * NUM_WAVES, 6 * 2 * NUM_WAVES


class Oracle(nn.Module):
    """A `GeometryEncoder` whose features are the truth it is given.

    A token holds, one after the other: the mean point of its patch, the camera's place and viewing direction (waves of
    each coordinate), and whether the patch has any point. Where it has none, its point is all zeros. The camera token
    is the middle part alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spec = EncoderSpec(
            name="oracle",
            dim=_POINT + _CAMERA + 2,
            num_layers=1,
            default_layers=(0,),
            licence="none needed: the truth itself, an upper bound and never a result",
            commercial=True,
            metric=True,
            camera_dim=_CAMERA,
        )
        # Empty, so it holds no value that loading could lose; `to` moves it, and it knows device and type from then on.
        self.register_buffer("like", torch.empty(0), persistent=False)

    @torch.no_grad()
    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`; of the frames only the size is looked at.

        Raises:
            EncoderError: there is no truth, it is of another size, or a pose in it is not finite.
        """
        rows, cols = check_frames(frames, self.spec.patch)
        check_layers(self.spec, layers)
        if truth is None:
            raise EncoderError(
                "the oracle needs the true points and poses of its frames, which only scenes have; train and evaluate "
                "it on rows of sample rooms, or choose another encoder"
            )
        points = truth.points.to(self.like.device, torch.float32)
        T_world_cam = truth.T_world_cam.to(self.like.device, torch.float32)
        if points.shape != (*frames.shape[:1], *frames.shape[2:], 3) or T_world_cam.shape != (len(frames), 4, 4):
            raise EncoderError(
                f"truth has points {list(points.shape)} and poses {list(T_world_cam.shape)}, expected those of frames "
                f"{list(frames.shape)}"
            )
        if not T_world_cam.isfinite().all():
            raise EncoderError("a true pose is not finite; leave the frame out")
        # The inverse of a rigid motion.
        R, t = T_world_cam[0, :3, :3], T_world_cam[0, :3, 3]
        means, known = patch_means((points - t) @ R, self.spec.patch)
        place = (T_world_cam[:, :3, 3] - t) @ R
        direction = T_world_cam[:, :3, 2] @ R
        camera = torch.cat([waves(place), waves(_DIRECTION_M * direction)], dim=-1)
        tokens = torch.cat(
            [
                waves(means) * known[..., None],
                camera[:, None, None].expand(-1, rows, cols, -1),
                known[..., None].float(),
                (~known)[..., None].float(),
            ],
            dim=-1,
        )
        return GeometryFeatures({0: tokens.to(self.like.dtype)}, camera.to(self.like.dtype))

    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """Pictures alone tell it nothing.

        Raises:
            EncoderError: always.
        """
        raise EncoderError("the oracle sees no pictures and predicts nothing; open a real encoder to predict geometry")


def patch_means(points: Float[Tensor, "s h w 3"], patch: int) -> tuple[Float[Tensor, "s r c 3"], Bool[Tensor, "s r c"]]:
    """Mean of the finite points of each patch (zeros where there are none), and whether it has any."""
    num, height, width, _ = points.shape
    cells = points.reshape(num, height // patch, patch, width // patch, patch, 3)
    finite = cells.isfinite().all(-1, keepdim=True)
    count = finite.sum((2, 4))
    total = torch.where(finite, cells, 0.0).sum((2, 4))
    return total / count.clamp(min=1), count[..., 0] > 0


def waves(x: Float[Tensor, "*b k"]) -> Float[Tensor, "*b n"]:
    """Sines and cosines of metres at wavelengths from the longest to the shortest, evenly in their logarithm."""
    step = math.log(LONGEST_M / SHORTEST_M) / (NUM_WAVES - 1)
    frequency = 2 * math.pi / LONGEST_M * torch.exp(step * torch.arange(NUM_WAVES, device=x.device))
    angle = x[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)
