"""The built-in detector: SSD MobileNetV2 at 300 x 300 px, 23 classes, part of the package, nothing to download.

    finder = SsdFinder()
    finder.detect(picture)      [Detection('table', 0.62, (0.0, 211.3, 402.8, 480.0)), ...]

A picture is squeezed to a square of 300 px, so a thing smaller than about a tenth of the picture's side is lost. With
`tiles=True` the four quarters (with some overlap) are looked at as well, for five times the work: smaller things are
found, but also more that are not there. The extra `detect` brings the runtime; see `spaceland.objects.ssd` for how
the network's answer is read, and NOTICE.txt beside the model for where it comes from.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from spaceland.errors import SceneError, require
from spaceland.objects.picture_boxes import check_picture, suppress
from spaceland.objects.ssd import INPUT_PX, decode_boxes, ssd_anchors
from spaceland.objects.types import Detection
from spaceland.scenes.scene import normalise_label

MODEL_FILE, LABEL_FILE = "ssd_mobilenetv2_oidv4_fp16.tflite", "labelmap.txt"
NOT_ROOM_THINGS = (
    "person",
    "cat",
    "dog",
    "cattle",
    "boot",
    "footwear",
    "high heels",
    "vehicle",
    "car",
    "bicycle",
    "stationary bicycle",
)
"""Classes of the model that walk about, are worn, or are no part of most rooms; they are left out unless asked for."""
_BACKGROUND = "???"
_CANDIDATES = 200
_STDERR = 2
_STDERR_LOCK = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class SsdConfig:
    """What counts as a detection.

    Two boxes of one class are the same thing above an IoU of `same_class_iou`, or when more than `same_class_inside` of
    the smaller one lies in the other; two boxes of different classes above `any_class_iou`. The better one stays.
    """

    min_score: float = 0.3
    same_class_iou: float = 0.4
    same_class_inside: float = 0.7
    any_class_iou: float = 0.7
    labels: tuple[str, ...] = ()
    """Only these classes; empty: all but `NOT_ROOM_THINGS`."""
    tiles: bool = False
    """Look at four overlapping quarters too."""
    tile_overlap: float = 0.2
    """Share of a quarter's side that it shares with its neighbour."""
    threads: int = 2


class SsdFinder:
    """Finds things in one picture at a time with the built-in detector (a `FrameFinder`)."""

    name = "ssd mobilenetv2 (built in)"

    def __init__(self, config: SsdConfig | None = None, *, model: Path | None = None) -> None:
        """Load the model.

        Args:
            config: What counts as a detection.
            model: Another TFLite file with the same inputs and outputs; None: the built-in one.

        Raises:
            DependencyError: the runtime is not installed.
            SceneError: the model file is missing, damaged or of another shape, or `config.labels` names no class of it.
        """
        require("ai_edge_litert.interpreter", "detect")
        self.config = config or SsdConfig()
        folder = resources.files("spaceland") / "assets" / "detector"
        where = str(model or MODEL_FILE)
        try:
            content = model.read_bytes() if model is not None else (folder / MODEL_FILE).read_bytes()
        except OSError as error:
            raise SceneError(
                f"the detector's model cannot be read: {where} ({error.strerror or error}); install spaceland again"
            ) from error
        self.labels = built_in_labels()
        self._wanted = wanted_classes(self.labels, self.config.labels)
        self._anchors = ssd_anchors()
        self._interpreter = _load(content, where, self.config.threads)
        self._input, self._codes, self._scores = self._tensors(where)

    def _tensors(self, where: str) -> tuple[int, int, int]:
        """Numbers of the input, the box codes and the class scores, known by their shapes."""
        inputs = {tuple(d["shape"]): d["index"] for d in self._interpreter.get_input_details()}
        outputs = {tuple(d["shape"]): d["index"] for d in self._interpreter.get_output_details()}
        num = len(self._anchors)
        picture, codes, scores = (1, INPUT_PX, INPUT_PX, 3), (1, num, 4), (1, num, len(self.labels))
        if picture not in inputs or codes not in outputs or scores not in outputs:
            raise SceneError(
                f"{where} has inputs {list(inputs)} and outputs {list(outputs)}, expected {picture} in, {codes} and "
                f"{scores} out; give a model of the same kind as the built-in one"
            )
        return inputs[picture], outputs[codes], outputs[scores]

    def raw(
        self, image: UInt8[np.ndarray, "h w 3"]
    ) -> tuple[Float[np.ndarray, "1917 4"], Float[np.ndarray, "1917 24"]]:
        """The network's answer: boxes (x0, y0, x1, y1) in shares of the picture, and scores 0 to 1 of the classes."""
        small = Image.fromarray(image).resize((INPUT_PX, INPUT_PX), Image.Resampling.BILINEAR)
        self._interpreter.set_tensor(self._input, (np.asarray(small, dtype=np.float32) / 127.5 - 1.0)[None])
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._scores)[0].astype(float)
        boxes = decode_boxes(self._interpreter.get_tensor(self._codes)[0], self._anchors)
        return boxes, 1 / (1 + np.exp(-np.clip(logits, -50, 50)))

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Things in a picture, best first; boxes lie inside the picture.

        Raises:
            SceneError: not a uint8 colour picture of at least 16 px a side.
        """
        check_picture(image)
        height, width = image.shape[:2]
        windows = [(0, 0, width, height)]
        if self.config.tiles and min(height, width) >= 2 * INPUT_PX // 3:
            windows += quarter_windows(width, height, self.config.tile_overlap)
        parts = [self._window(image, window) for window in windows]
        boxes, scores, classes = (np.concatenate(column) for column in zip(*parts, strict=True))
        kept = self._distinct(boxes, scores, classes)
        return [
            Detection(self.labels[classes[k]], float(scores[k]), tuple(float(v) for v in boxes[k]))  # pyrefly: ignore
            for k in kept
        ]

    def _window(
        self, image: UInt8[np.ndarray, "h w 3"], window: tuple[int, int, int, int]
    ) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """Boxes in pixels of the whole picture, scores and classes found in a part (x0, y0, x1, y1) of it."""
        x0, y0, x1, y1 = window
        shares, probability = self.raw(np.ascontiguousarray(image[y0:y1, x0:x1]))
        probability = np.where(self._wanted, probability, 0)
        anchor, label = np.nonzero(probability >= self.config.min_score)
        best = np.argsort(-probability[anchor, label], kind="stable")[:_CANDIDATES]
        anchor, label = anchor[best], label[best]
        boxes = np.clip(shares[anchor], 0, 1) * [x1 - x0, y1 - y0, x1 - x0, y1 - y0] + [x0, y0, x0, y0]
        # A quarter shows only part of what crosses its inner border; the whole picture or its neighbour shows it all.
        height, width = image.shape[:2]
        edge = 0.01 * max(x1 - x0, y1 - y0)
        cut = (x0 > 0) & (boxes[:, 0] < x0 + edge) | (x1 < width) & (boxes[:, 2] > x1 - edge)
        cut |= (y0 > 0) & (boxes[:, 1] < y0 + edge) | (y1 < height) & (boxes[:, 3] > y1 - edge)
        whole = ~cut & (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
        return boxes[whole], probability[anchor, label][whole], label[whole]

    def _distinct(
        self, boxes: Float[np.ndarray, "n 4"], scores: Float[np.ndarray, "n"], classes: Int[np.ndarray, "n"]
    ) -> Int[np.ndarray, "k"]:
        config = self.config
        first = suppress(
            boxes, scores, max_iou=config.same_class_iou, max_inside=config.same_class_inside, groups=classes
        )
        return first[suppress(boxes[first], scores[first], max_iou=config.any_class_iou)]


def built_in_labels() -> tuple[str, ...]:
    """The classes of the built-in model, the background first."""
    return read_labels((resources.files("spaceland") / "assets" / "detector" / LABEL_FILE).read_text("utf-8"))


def read_labels(text: str) -> tuple[str, ...]:
    """Normalised class names, one a line; the first line is the background."""
    return tuple(normalise_label(line) for line in text.splitlines() if line.strip())


def wanted_classes(labels: tuple[str, ...], wanted: tuple[str, ...]) -> np.ndarray:
    """Which classes may be reported [len(labels)].

    Raises:
        SceneError: a wanted label is no class of the model.
    """
    asked = tuple(normalise_label(label) for label in wanted)
    unknown = [label for label in asked if label not in labels or label == _BACKGROUND]
    if unknown:
        known = ", ".join(sorted(set(labels) - {_BACKGROUND}))
        raise SceneError(
            f"the built-in detector does not know {', '.join(unknown)}; it knows: {known}. "
            "For other things use an open-vocabulary model"
        )
    if asked:
        return np.array([label in asked for label in labels])
    return np.array([label != _BACKGROUND and label not in NOT_ROOM_THINGS for label in labels])


def quarter_windows(width: int, height: int, overlap: float) -> list[tuple[int, int, int, int]]:
    """Four windows (x0, y0, x1, y1) in pixels that cover a picture; neighbours share `overlap` of their side.

    >>> quarter_windows(900, 900, 0.2)
    [(0, 0, 500, 500), (400, 0, 900, 500), (0, 400, 500, 900), (400, 400, 900, 900)]
    """
    w, h = (min(side, round(side / (2 - overlap))) for side in (width, height))
    return [(x, y, x + w, y + h) for y in (0, height - h) for x in (0, width - w)]


@contextlib.contextmanager
def _without_info_lines() -> Iterator[None]:
    """Keep the runtime's "INFO: ..." off the terminal; everything else that is written on stderr comes out afterwards.

    The runtime writes it past Python, and has no switch for it that Python could reach.
    """
    with _STDERR_LOCK, tempfile.TemporaryFile() as kept:
        try:
            terminal = os.dup(_STDERR)
        except OSError:  # a program without stderr
            yield
            return
        os.dup2(kept.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(terminal, _STDERR)
            os.close(terminal)
            kept.seek(0)
            os.write(_STDERR, b"".join(line for line in kept if not line.startswith(b"INFO: ")))


def _load(content: bytes, where: str, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        with _without_info_lines():
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise SceneError(
            f"{where} is not a usable TFLite model ({' '.join(str(error).split())[:200]}); "
            "the file may be damaged, copy it or install spaceland again"
        ) from error
    return interpreter
