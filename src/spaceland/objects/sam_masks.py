"""Masks from boxes with SAM 2 or SAM 3, and boxes with masks straight from labels with SAM 3, through transformers.

    masks = SamMasks(Weights("facebook/sam2.1-hiera-tiny"))
    finder = MaskedFinder(SsdFinder(), masks)          # any FrameFinder, its boxes now with masks
    finder = Sam3Finder(Weights("facebook/sam3"), ("chair", "coffee cup"))

The models see the picture squeezed to a square (1024 px for SAM 2, 1008 px for SAM 3); boxes go in scaled likewise, and
the answer, a quarter of that size, is stretched back to the picture. All of it is done here, so that torchvision is not
needed: of SAM 3, only prompting its detector with example boxes would need it (`torchvision.ops.roi_align`), which is
not used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from spaceland.errors import DependencyError
from spaceland.objects.picture_boxes import check_picture, suppress
from spaceland.objects.pretrained import (
    HALF_MEAN,
    HALF_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Weights,
    clean_labels,
    load_kind,
    load_tokenizer,
    normalised,
)
from spaceland.objects.types import Detection, FrameFinder

IMAGE_CLASSES = {
    "sam2": "Sam2Model",
    "sam2_video": "Sam2Model",
    "sam3_tracker": "Sam3TrackerModel",
    "sam3_tracker_video": "Sam3TrackerModel",
    "sam3_video": "Sam3TrackerModel",
}
SAM3_KINDS = ("sam3", "sam3_video")
_BOXES_AT_ONCE = 32


class SamMasks:
    """A mask for each box in a picture."""

    def __init__(self, weights: Weights) -> None:
        """Load the model.

        Raises:
            DependencyError: a package or the weights are missing, or the weights are of another kind.
        """
        loaded = load_kind(weights, IMAGE_CLASSES, f"masks are made with {', '.join(IMAGE_CLASSES)}")
        self.name, self._settings, self._model = loaded.name, loaded.settings, loaded.model
        self._side_px = square_side(self._model.config)
        self._mean_std = channel_statistics(loaded.kind)

    def masks(
        self, image: UInt8[np.ndarray, "h w 3"], boxes: Float[np.ndarray, "n 4"]
    ) -> tuple[Bool[np.ndarray, "n h w"], Float[np.ndarray, "n"]]:
        """The mask in each box (x0, y0, x1, y1 in pixels), and how good the model thinks it is (0 to 1).

        Raises:
            SceneError: not a uint8 colour picture of at least 16 px a side.
        """
        import torch

        check_picture(image)
        height, width = image.shape[:2]
        if len(boxes) == 0:
            return np.zeros((0, height, width), dtype=bool), np.zeros(0)
        square = normalised(image, self._side_px, self._side_px, self._settings, *self._mean_std)
        pixels = torch.from_numpy(np.ascontiguousarray(square))[None].to(self._model.device, self._model.dtype)
        corners = boxes * np.tile([self._side_px / width, self._side_px / height], 2)
        masks, quality = [], []
        with torch.inference_mode():
            features = self._model.get_image_embeddings(pixels)
            for start in range(0, len(boxes), _BOXES_AT_ONCE):
                prompt = torch.from_numpy(corners[None, start : start + _BOXES_AT_ONCE].astype(np.float32))
                answer = self._model(
                    image_embeddings=features,
                    input_boxes=prompt.to(self._model.device, self._model.dtype),
                    multimask_output=False,
                )
                masks.append(stretch(answer.pred_masks[0, :, 0], height, width) > 0)
                quality.append(answer.iou_scores[0, :, 0].float().cpu().numpy().astype(float))
        return np.concatenate(masks), np.clip(np.concatenate(quality), 0, 1)


class MaskedFinder:
    """Another finder's boxes with masks from `SamMasks` (a `FrameFinder`)."""

    def __init__(self, finder: FrameFinder, masks: SamMasks) -> None:
        self._finder, self._masks = finder, masks
        self.name = f"{finder.name}, masks by {masks.name}"

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """The finder's detections; those whose mask is empty keep their box alone."""
        found = self._finder.detect(image)
        masks, _ = self._masks.masks(image, np.array([d.box_px for d in found], dtype=float).reshape(-1, 4))
        return [replace(d, mask=m) if m.any() else d for d, m in zip(found, masks, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Sam3Config:
    """What counts as a detection of SAM 3."""

    min_score: float = 0.5
    any_class_iou: float = 0.8
    """Two labels for one thing: the better one stays."""


class Sam3Finder:
    """Boxes and masks of everything that a list of labels names, with SAM 3 (a `FrameFinder`).

    The picture is encoded once, then each label is asked by itself. A label's text is encoded when the model is loaded.
    """

    def __init__(self, weights: Weights, labels: tuple[str, ...], config: Sam3Config | None = None) -> None:
        """Load the model.

        Raises:
            DependencyError: a package, the weights or the tokenizer is missing, or the weights are of another kind.
            SceneError: no label to look for.
        """
        self.labels = clean_labels(labels)
        self.config = config or Sam3Config()
        use = f"labels become masks with {' or '.join(SAM3_KINDS)}"
        loaded = load_kind(weights, dict.fromkeys(SAM3_KINDS, "Sam3Model"), use)
        import torch

        self.name, self._settings, self._model = loaded.name, loaded.settings, loaded.model
        self._side_px = square_side(self._model.config)
        tokenizer = load_tokenizer(weights)
        length = self._model.config.text_config.max_position_embeddings
        self._texts: list[tuple[Any, Any]] = []
        for label in self.labels:
            tokens = tokenizer(label, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
            tokens = {k: tokens[k].to(self._model.device) for k in ("input_ids", "attention_mask")}
            with torch.inference_mode():
                self._texts.append((self._model.get_text_features(**tokens), tokens["attention_mask"]))

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Things in a picture with masks, best first.

        Raises:
            SceneError: not a uint8 colour picture of at least 16 px a side.
        """
        import torch

        check_picture(image)
        height, width = image.shape[:2]
        square = normalised(image, self._side_px, self._side_px, self._settings, HALF_MEAN, HALF_STD)
        pixels = torch.from_numpy(np.ascontiguousarray(square))[None].to(self._model.device, self._model.dtype)
        found: list[Detection] = []
        with torch.inference_mode():
            features = self._model.get_vision_features(pixel_values=pixels)
            for label, (text, attention) in zip(self.labels, self._texts, strict=True):
                answer = self._model(vision_embeds=features, text_embeds=text, attention_mask=attention)
                scores = answer.pred_logits[0].float().sigmoid()
                if answer.presence_logits is not None:
                    scores = scores * answer.presence_logits[0].float().sigmoid()
                kept = torch.nonzero(scores >= self.config.min_score)[:, 0]
                if len(kept) == 0:
                    continue
                masks = stretch(answer.pred_masks[0, kept], height, width) > 0
                boxes = np.clip(answer.pred_boxes[0, kept].float().cpu().numpy().astype(float), 0, 1)
                boxes = boxes * [width, height, width, height]
                for score, box, mask in zip(scores[kept].tolist(), boxes, masks, strict=True):
                    if box[2] - box[0] >= 1 and box[3] - box[1] >= 1 and mask.any():
                        found.append(Detection(label, float(score), tuple(box.tolist()), mask))
        boxes = np.array([d.box_px for d in found], dtype=float).reshape(-1, 4)
        kept = suppress(boxes, np.array([d.score for d in found]), max_iou=self.config.any_class_iou)
        return [found[k] for k in kept]


def square_side(config: Any) -> int:
    """Side in pixels of the square picture that a SAM model takes."""
    for part in (getattr(config, "prompt_encoder_config", None), config, getattr(config, "vision_config", None)):
        side = getattr(part, "image_size", None)
        if side:
            return int(side[0] if isinstance(side, (list, tuple)) else side)
    raise DependencyError("the model's configuration says no image_size; copy config.json again")


def channel_statistics(kind: str) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of the colour channels that a kind of model was trained with."""
    return (HALF_MEAN, HALF_STD) if kind.startswith("sam3") else (IMAGENET_MEAN, IMAGENET_STD)


def stretch(logits: Any, height: int, width: int) -> Float[np.ndarray, "n height width"]:
    """Mask logits [n, h, w] of the square picture, stretched (bilinear) to a picture of height x width."""
    import torch

    big = torch.nn.functional.interpolate(
        logits[:, None].float(), size=(height, width), mode="bilinear", align_corners=False
    )
    return big[:, 0].cpu().numpy()


def mask_box(mask: Bool[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """The box (x0, y0, x1, y1) around a mask that is not empty, in its pixels.

    >>> mask = np.zeros((5, 6), dtype=bool)
    >>> mask[1:3, 2] = True
    >>> mask_box(mask)
    (2.0, 1.0, 3.0, 3.0)
    """
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
