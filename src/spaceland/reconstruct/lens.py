"""Pictures as the cameras of an estimate see them: without the bending of the lens that it found.

The lens itself, and what straightening means, is in `scenes/lens.py`; an estimate carries it in its report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from spaceland.errors import ReconstructionError, require
from spaceland.reconstruct.types import CaptureImage, Estimate
from spaceland.scenes.lens import Lens, straighten


def lens_of(estimate: Estimate) -> Lens | None:
    """The lens that an estimate found in the pictures; None where it took them as they are.

    Raises:
        ReconstructionError: the report says something else under `lens`.
    """
    record = estimate.report.get("lens")
    try:
        return None if record is None else Lens.from_json(record)
    except ValueError as error:
        raise ReconstructionError(
            f"the estimate's lens cannot be read ({error}); remove the estimate's folder to make it anew"
        ) from error


def undistort_images(images: Sequence[CaptureImage], estimate: Estimate) -> tuple[CaptureImage, ...]:
    """The images as the cameras of the estimate's views see them: same ids and sizes, straightened when read.

    Estimators that find a lens return views of the straightened pictures; everything that comes after them works on
    what this returns.

    Raises:
        ReconstructionError: a picture has another size than the estimate's lens is for.
    """
    lens = lens_of(estimate)
    if lens is None:
        return tuple(images)
    for image in images:
        if (image.width, image.height) != (lens.width, lens.height):
            raise ReconstructionError(
                f"picture {image.id} is {image.width}x{image.height}, but the lens was estimated for "
                f"{lens.width}x{lens.height}; use the pictures that the poses were estimated from"
            )
    require("cv2", "recon")  # missing, it is told before any picture is read
    focal = lens.pinhole().fx
    return tuple(replace(image, color=_Straightened(image, lens), focal_px=focal) for image in images)


@dataclass(frozen=True, eq=False)
class _Straightened:
    image: CaptureImage
    lens: Lens

    def __call__(self) -> UInt8[np.ndarray, "h w 3"]:
        return straighten(self.image.color(), self.lens, "cubic")
