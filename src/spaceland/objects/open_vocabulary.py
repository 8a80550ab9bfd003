"""Boxes for any list of labels, with Grounding DINO (also MM Grounding DINO) through transformers.

    finder = GroundingDinoFinder(Weights("IDEA-Research/grounding-dino-tiny"), ("chair", "coffee cup"))
    finder.detect(picture)

The labels become one text, "chair. coffee cup.". For each of its boxes the model says how well every *token* of the
text fits: sigmoid(logits[box, token]). A label fits as well as the best of its tokens; the best label names the box:

    tokens   [CLS]  chair  .  coffee  cup  .  [SEP]
    fits            0.1       0.5     0.7           -> coffee cup, 0.7

Texts longer than the model takes are parted, and each part is asked by itself. Pictures are resized and normalised
here, so that torchvision is not needed; pictures of one size go through the model together, without padding.
The weights are the user's choice. Nothing is claimed of how well they find things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import DependencyError
from spaceland.objects.picture_boxes import check_picture, suppress
from spaceland.objects.pretrained import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Weights,
    clean_labels,
    load_kind,
    load_tokenizer,
    normalised,
)
from spaceland.objects.types import Detection

CLASSES = {
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
}
_MAX_SHORT_PX, _MAX_LONG_PX = 800, 1333


@dataclass(frozen=True, kw_only=True)
class GroundingConfig:
    """What counts as a detection, and how many pictures go through the model together."""

    min_score: float = 0.3
    same_class_iou: float = 0.7
    any_class_iou: float = 0.85
    batch_size: int = 4


@dataclass(frozen=True)
class TextPart:
    """One text for the model: token ids, and for each of its labels (a number) the places of its tokens."""

    token_ids: tuple[int, ...]
    places: dict[int, tuple[int, ...]]


class GroundingDinoFinder:
    """Finds what a list of labels names, in one picture or in several (a `FrameFinder`)."""

    def __init__(self, weights: Weights, labels: tuple[str, ...], config: GroundingConfig | None = None) -> None:
        """Load the model.

        Raises:
            DependencyError: a package, the weights or the tokenizer is missing, or the weights are of another kind.
            SceneError: no label to look for.
        """
        self.labels = clean_labels(labels)
        self.config = config or GroundingConfig()
        use = f"labels are looked for with {' or '.join(CLASSES)} (or 'sam3_video' through Sam3Finder)"
        loaded = load_kind(weights, CLASSES, use)
        self.name, self._settings, self._model = loaded.name, loaded.settings, loaded.model
        self.batch_size = self.config.batch_size
        self._parts = text_parts(self.labels, load_tokenizer(weights), self._model.config.max_text_len)

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Things in a picture, best first.

        Raises:
            SceneError: not a uint8 colour picture of at least 16 px a side.
        """
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[list[Detection]]:
        """Things in each picture, the same as one by one; see `detect`."""
        for image in images:
            check_picture(image)
        results: list[list[Detection]] = [[] for _ in images]
        for size in dict.fromkeys(image.shape[:2] for image in images):
            same = [k for k, image in enumerate(images) if image.shape[:2] == size]
            for start in range(0, len(same), self.config.batch_size):
                batch = same[start : start + self.config.batch_size]
                for k, (boxes, fits) in zip(batch, self._run([images[k] for k in batch]), strict=True):
                    results[k] = self._choose(boxes, fits)
        return results

    def _run(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]]
    ) -> list[tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n labels"]]]:
        """Boxes in pixels and how well each label fits, of pictures of one size."""
        import torch

        height, width = images[0].shape[:2]
        new_width, new_height = model_size(width, height, self._settings.get("size"))
        batch = np.stack(
            [normalised(i, new_width, new_height, self._settings, IMAGENET_MEAN, IMAGENET_STD) for i in images]
        )
        pixels = torch.from_numpy(batch).to(self._model.device, self._model.dtype)
        boxes, fits = [], []
        for part in self._parts:
            ids = torch.tensor([part.token_ids] * len(images), device=self._model.device)
            with torch.inference_mode():
                answer = self._model(
                    pixel_values=pixels,
                    pixel_mask=torch.ones(len(images), new_height, new_width, dtype=torch.long, device=ids.device),
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    token_type_ids=torch.zeros_like(ids),
                )
            tokens = answer.logits.float().sigmoid().cpu().numpy().astype(float)
            boxes.append(corner_boxes(answer.pred_boxes.float().cpu().numpy().astype(float), width, height))
            fit = np.zeros((*tokens.shape[:2], len(self.labels)))
            for label, places in part.places.items():
                fit[..., label] = tokens[..., list(places)].max(-1)
            fits.append(fit)
        return list(zip(np.concatenate(boxes, 1), np.concatenate(fits, 1), strict=True))

    def _choose(self, boxes: Float[np.ndarray, "n 4"], fits: Float[np.ndarray, "n labels"]) -> list[Detection]:
        scores, label = fits.max(1), fits.argmax(1)
        good = (scores >= self.config.min_score) & (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
        boxes, scores, label = boxes[good], scores[good], label[good]
        kept = suppress(boxes, scores, max_iou=self.config.same_class_iou, groups=label)
        kept = kept[suppress(boxes[kept], scores[kept], max_iou=self.config.any_class_iou)]
        return [
            Detection(self.labels[label[k]], float(scores[k]), tuple(float(v) for v in boxes[k]))  # pyrefly: ignore
            for k in kept
        ]


def text_parts(labels: tuple[str, ...], tokenizer: Any, max_tokens: int) -> list[TextPart]:
    """Texts "chair. coffee cup." of at most `max_tokens` tokens, and where the tokens of each label are.

    Raises:
        DependencyError: the tokenizer has no start, end or full stop, or knows nothing of a label.
    """
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    stop = tokenizer.convert_tokens_to_ids(".")
    if start is None or end is None or stop is None or stop == tokenizer.unk_token_id:
        raise DependencyError("the tokenizer beside the weights is not that of a BERT model; copy the model's own")
    parts: list[TextPart] = []
    ids: list[int] = [start]
    places: dict[int, tuple[int, ...]] = {}
    for number, label in enumerate(labels):
        own = tokenizer(label, add_special_tokens=False)["input_ids"]
        if not own or len(own) + 3 > max_tokens:
            raise DependencyError(f"the model's tokenizer makes {len(own)} tokens of label '{label}'; use another word")
        if len(ids) + len(own) + 2 > max_tokens:
            parts.append(TextPart((*ids, end), places))
            ids, places = [start], {}
        places[number] = tuple(range(len(ids), len(ids) + len(own)))
        ids += [*own, stop]
    parts.append(TextPart((*ids, end), places))
    return parts


def model_size(width: int, height: int, size: Any = None) -> tuple[int, int]:
    """Width and height that a picture has for the model: short side 800 px, or less so that the long one is 1333.

    >>> model_size(640, 480)
    (1067, 800)
    >>> model_size(2000, 500)
    (1333, 333)
    """
    limits = size if isinstance(size, dict) else {}
    short, long = limits.get("shortest_edge") or _MAX_SHORT_PX, limits.get("longest_edge") or _MAX_LONG_PX
    factor = min(short / min(width, height), long / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def corner_boxes(boxes: Float[np.ndarray, "*n 4"], width: int, height: int) -> Float[np.ndarray, "*n 4"]:
    """(x0, y0, x1, y1) in pixels, inside the picture, from (centre x, centre y, width, height) in shares of it."""
    half = boxes[..., 2:] / 2
    corners = np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1)
    return np.clip(corners, 0, 1) * [width, height, width, height]
