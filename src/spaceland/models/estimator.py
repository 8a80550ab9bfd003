"""Any geometry encoder with heads as the estimator of a reconstruction: plain pictures in, posed views with depth out.

All pictures go through the network together, in one pass. They are made smaller, keeping their shape (nothing is cut
off, upright pictures stay upright); cameras come back in the pixels of the pictures, depth stays at the network's size.

Confidence. The heads give numbers of 1 and more that have no scale. What a pixel has beyond 1 is compared with the
median of the clip: equal to it is a confidence of 0.5, twice as much 2/3, none 0. Depth is removed where confidence is
below `min_confidence`, at 0.3 that is less than 0.43 of the median. So it says where a clip is weaker than elsewhere,
and cannot say that all of it is bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from spaceland.errors import EncoderError, ReconstructionError, SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.models.types import GeometryEncoder, GeometryPrediction
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, Progress

UNREADABLE = "it cannot be decoded"


@dataclass(frozen=True, kw_only=True)
class EncoderEstimatorSettings:
    """`max_pictures` bounds memory, which grows with the pictures (time with their square)."""

    max_pictures: int = 120
    min_confidence: float = 0.3


class EncoderEstimator:
    """`GeometryEstimator` by a geometry encoder that gives poses and depth.

    Raises:
        EncoderError: the encoder has no heads for poses and depth.
    """

    def __init__(self, encoder: GeometryEncoder, settings: EncoderEstimatorSettings | None = None) -> None:
        if not {"pose", "depth"} <= encoder.spec.heads:
            found = ", ".join(sorted(encoder.spec.heads)) or "none"
            raise EncoderError(
                f"{encoder.spec.name} cannot pose pictures: it has heads for {found}, needed are pose and depth; use "
                "vggt:PATH or da3:PATH with a file that holds the heads"
            )
        self.encoder = encoder
        self.settings = settings or EncoderEstimatorSettings()

    @property
    def name(self) -> str:
        """That of the encoder."""
        return self.encoder.spec.name

    def estimate(self, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """Poses, lenses and depth of all pictures, in the order of the pictures, in the encoder's world.

        Raises:
            ReconstructionError: too many pictures, pictures of several sizes, none that can be decoded, or a result
                that is no geometry.
        """
        spec = self.encoder.spec
        if len(images) > self.settings.max_pictures:
            raise ReconstructionError(
                f"{len(images)} pictures, and {self.name} looks at all of them at once, at most "
                f"{self.settings.max_pictures} here; use --keyframes {self.settings.max_pictures} or fewer"
            )
        used, frames, lost = _read(images, spec.long_side_px, spec.patch)
        prediction = self.encoder.predict(frames)
        depth, confidence, report = _trusted_depth(prediction, self.settings.min_confidence)
        poses, lenses = _numpy(prediction.T_world_cam).astype(float), _numpy(prediction.K).astype(float)
        _check_geometry(self.name, poses, lenses, depth)
        views = []
        for k, image in enumerate(used):
            camera = _camera(lenses[k], frames.shape[-1], frames.shape[-2])
            views.append(
                EstimatedView(
                    image.id, camera.scaled(image.width, image.height), poses[k], depth[k], camera, confidence[k]
                )
            )
        if progress:
            progress(len(images), f"{self.name}: {len(views)} pictures posed together")
        return Estimate(
            views=tuple(views),
            points=None,
            metric=spec.metric,
            scale_source=f"metric model {self.name}" if spec.metric else "unknown",
            lost=lost,
            report={
                "estimator": self.name,
                "frame_px": [frames.shape[-1], frames.shape[-2]],
                "posed_share": round(len(views) / len(images), 4),
                **report,
            },
        )


def frame_size(width: int, height: int, long_side_px: int, patch: int) -> tuple[int, int]:
    """(width, height) that a picture is shown at: the longer side nearly `long_side_px`, both multiples of the patch.

    The shape is kept to half a patch; nothing is cut off.

    >>> frame_size(640, 480, 518, 14), frame_size(480, 640, 518, 14), frame_size(1920, 1080, 504, 14)
    ((518, 392), (392, 518), (504, 280))
    """
    long_side = max(patch, long_side_px // patch * patch)
    scale = long_side / max(width, height)
    return max(patch, round(width * scale / patch) * patch), max(patch, round(height * scale / patch) * patch)


def _read(
    images: Sequence[CaptureImage], long_side_px: int, patch: int
) -> tuple[list[CaptureImage], Float[Tensor, "s 3 h w"], dict[str, str]]:
    sizes = {(image.width, image.height) for image in images}
    if len(sizes) > 1:
        listed = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
        raise ReconstructionError(f"pictures of {len(sizes)} sizes ({listed}); they are looked at together, so use one")
    used, frames, lost = [], [], {}
    for image in images:
        try:
            picture = image.color()
        except SceneError:
            lost[image.id] = UNREADABLE
            continue
        small = Image.fromarray(picture).resize(
            frame_size(image.width, image.height, long_side_px, patch), Image.Resampling.BICUBIC
        )
        used.append(image)
        frames.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
    if not frames:
        raise ReconstructionError(f"none of {len(images)} pictures can be decoded; copy them again")
    return used, torch.stack(frames).float() / 255, lost


def _trusted_depth(
    prediction: GeometryPrediction, min_confidence: float
) -> tuple[Float[np.ndarray, "s h w"], Float[np.ndarray, "s h w"], dict[str, Any]]:
    """Depth with 0 where it is not trusted, confidence 0..1 as the module says, and figures about both."""
    assert prediction.depth is not None  # the spec promised it
    depth = _numpy(prediction.depth)
    known = np.isfinite(depth) & (depth > 0)
    if prediction.depth_confidence is None:
        confidence = known.astype(np.float32)
        raw_median = None
    else:
        beyond = np.maximum(_numpy(prediction.depth_confidence) - 1, 0)
        beyond = np.where(known & np.isfinite(beyond), beyond, 0)
        middle = float(np.median(beyond[known])) if known.any() else 0.0
        confidence = (beyond / np.maximum(beyond + middle, np.finfo(np.float32).tiny)).astype(np.float32)
        raw_median = round(1 + middle, 3)
    trusted = known & (confidence >= min_confidence)
    return (
        np.where(trusted, depth, np.float32(0)),
        confidence,
        {"covered_share": round(float(trusted.mean()), 4), "median_raw_confidence": raw_median},
    )


def _check_geometry(name: str, poses: np.ndarray, lenses: np.ndarray, depth: np.ndarray) -> None:
    focal = lenses[:, (0, 1), (0, 1)]
    if not (np.isfinite(poses).all() and np.isfinite(lenses).all() and (focal > 0).all()):
        raise ReconstructionError(
            f"{name} gave poses or focal lengths that are not numbers or not positive; the weights may be damaged, of "
            "another model, or too coarse in 16 bits"
        )
    if not (depth > 0).any():
        raise ReconstructionError(f"{name} is confident of no depth at all in these pictures; film the room anew")


def _camera(K: Float[np.ndarray, "3 3"], width: int, height: int) -> PinholeCamera:
    return PinholeCamera(width, height, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float32).numpy()
