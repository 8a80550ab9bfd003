"""Following things through a video with SAM 2 or SAM 3: a finder names things now and then, the tracker keeps them.

    finder = TrackingFinder(GroundingDinoFinder(...), Weights("facebook/sam2.1-hiera-tiny"))
    DetectorObjectFinder(finder).find(scene)

On the first picture and on every `every`-th one the finder is asked. A detection that no followed thing covers (IoU of
the boxes below `same_iou`) starts a new track with its box as prompt; one that is covered counts as a vote for that
track's label. In between, the model's memory says where each thing is now. A thing is reported in a picture when
the model holds it for visible and its mask is not empty.

The model works through the pictures one after the other and keeps what it needs to remember, so memory does not grow
with the length of the video: pictures are dropped as soon as they are done, features after `memory` pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from spaceland.objects.picture_boxes import check_picture, ious
from spaceland.objects.pretrained import Weights, load_kind, normalised
from spaceland.objects.sam_masks import channel_statistics, mask_box, square_side, stretch
from spaceland.objects.types import Detection, FrameFinder

VIDEO_CLASSES = {
    "sam2_video": "Sam2VideoModel",
    "sam3_tracker_video": "Sam3TrackerVideoModel",
    "sam3_video": "Sam3TrackerVideoModel",
}


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """When new things are looked for, and how many are followed."""

    every: int = 8
    same_iou: float = 0.5
    max_tracks: int = 64
    """Each followed thing costs time in every picture; detections beyond this start no track."""
    memory: int = 32
    """What the model remembers of pictures further back than this is dropped (it looks back 16 at most)."""


@dataclass
class _Track:
    votes: Counter[str] = field(default_factory=Counter)
    score: float = 0.0

    def saw(self, detection: Detection) -> None:
        self.votes[detection.label] += 1
        self.score = max(self.score, detection.score)

    @property
    def label(self) -> str:
        return self.votes.most_common(1)[0][0]


class TrackingFinder:
    """Finds things in the pictures of a video and knows them again (a `VideoFinder`)."""

    def __init__(self, finder: FrameFinder, weights: Weights, config: TrackConfig | None = None) -> None:
        """Load the tracking model.

        Raises:
            DependencyError: a package or the weights are missing, or the weights are no video model.
        """
        loaded = load_kind(weights, VIDEO_CLASSES, f"things are followed with {', '.join(VIDEO_CLASSES)}")
        self.name = f"{finder.name}, followed by {loaded.name}"
        self.config = config or TrackConfig()
        self._finder, self._kind = finder, loaded.kind
        self._settings, self._model = loaded.settings, loaded.model
        self._side_px = square_side(self._model.config)

    def follow(self, images: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Iterator[list[Detection]]:
        """Detections with masks and tracks of each picture, in order; tracks count from 0.

        Raises:
            SceneError: not a uint8 colour picture of at least 16 px a side.
        """
        session = self._session()
        tracks: list[_Track] = []
        for index, image in enumerate(images):
            check_picture(image)
            pixels, size = self._pixels(image), image.shape[:2]
            seen = self._step(session, index, pixels, size) if tracks else {}
            new: list[Detection] = []
            if index % self.config.every == 0:
                new = self._match(self._finder.detect(image), seen, tracks)
                if new:
                    self._start(session, index, size, new, tracks)
                    seen = self._step(session, index, pixels, size)
            self._forget(session, index)
            result = [Detection(tracks[k].label, tracks[k].score, mask_box(m), m, track=k) for k, m in seen.items()]
            # The finder saw these, even if the model makes no mask of them.
            first = len(tracks) - len(new)
            result += [replace(d, track=first + k) for k, d in enumerate(new) if first + k not in seen]
            yield sorted(result, key=lambda d: (-d.score, d.track))

    def _session(self) -> Any:
        import transformers.models.sam2_video.modeling_sam2_video as sam2
        import transformers.models.sam3_tracker_video.modeling_sam3_tracker_video as sam3

        kind = sam2.Sam2VideoInferenceSession if self._kind == "sam2_video" else sam3.Sam3TrackerVideoInferenceSession
        device = self._model.device
        return kind(
            inference_device=device, inference_state_device=device, video_storage_device=device, dtype=self._model.dtype
        )

    def _pixels(self, image: UInt8[np.ndarray, "h w 3"]) -> Any:
        import torch

        square = normalised(image, self._side_px, self._side_px, self._settings, *channel_statistics(self._kind))
        return torch.from_numpy(np.ascontiguousarray(square))[None].to(self._model.device, self._model.dtype)

    def _step(self, session: Any, index: int, pixels: Any, size: tuple[int, int]) -> dict[int, Bool[np.ndarray, "h w"]]:
        """Masks of the tracks that are visible in a picture."""
        # With `frame` the model knows that it sees a stream; else it takes the pictures kept for the whole video.
        answer = self._model(session, frame_idx=index, frame=pixels)
        visible = answer.object_score_logits.float().reshape(-1).cpu().numpy() > 0
        masks = stretch(answer.pred_masks[:, 0], *size) > 0
        return {
            track: mask
            for track, mask, here in zip(answer.object_ids, masks, visible, strict=True)
            if here and mask.any()
        }

    def _match(
        self, found: list[Detection], seen: dict[int, Bool[np.ndarray, "h w"]], tracks: list[_Track]
    ) -> list[Detection]:
        """Count detections that a followed thing covers as votes for it; the others, the best first."""
        ids = sorted(seen)
        boxes = np.array([mask_box(seen[k]) for k in ids]).reshape(-1, 4)
        new = []
        for detection in found:
            overlap = ious(np.array([detection.box_px], dtype=float), boxes)[0]
            if len(overlap) and overlap.max() >= self.config.same_iou:
                tracks[ids[int(overlap.argmax())]].saw(detection)
            else:
                new.append(detection)
        return new[: max(0, self.config.max_tracks - len(tracks))]

    def _start(
        self, session: Any, index: int, size: tuple[int, int], new: list[Detection], tracks: list[_Track]
    ) -> None:
        """Give the model the boxes of new things: a box is its two corners, with point labels 2 and 3."""
        import torch

        scale = np.array([self._side_px / size[1], self._side_px / size[0]])
        started = []
        for detection in new:
            track = _Track()
            track.saw(detection)
            number = len(tracks)
            tracks.append(track)
            corners = (np.array(detection.box_px).reshape(2, 2) * scale).astype(np.float32)
            session.add_point_inputs(
                session.obj_id_to_idx(number),
                index,
                {
                    "point_coords": torch.from_numpy(corners)[None, None].to(self._model.dtype),
                    "point_labels": torch.tensor([2, 3], dtype=torch.int32)[None, None],
                },
            )
            started.append(number)
        session.obj_with_new_inputs = started

    def _forget(self, session: Any, index: int) -> None:
        """Drop the picture, and what is remembered of pictures too far back to matter."""
        if session.processed_frames is not None:
            session.processed_frames.pop(index, None)
        for outputs in session.output_dict_per_obj.values():
            for old in [k for k in outputs["non_cond_frame_outputs"] if k < index - self.config.memory]:
                del outputs["non_cond_frame_outputs"][old]
