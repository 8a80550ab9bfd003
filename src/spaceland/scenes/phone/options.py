"""What can be said about a phone recording: `phone:recording.r3d?stride=5&confidence=2`."""

from __future__ import annotations

from dataclasses import dataclass

from spaceland.errors import SourceError
from spaceland.scenes.images import count_option, number_option
from spaceland.scenes.sources import check_options


@dataclass(frozen=True)
class PhoneOptions:
    """`confidence`: depth below this level of ARKit (0 low, 1 medium, 2 high) counts as unknown."""

    stride: int = 1
    max_frames: int | None = None
    confidence: int = 1


def parse_options(options: dict[str, str]) -> PhoneOptions:
    """Options from a source specification.

    Raises:
        SourceError: an unknown option, or a value that makes no sense.
    """
    check_options("phone", options, ("stride", "max_frames", "confidence"))
    confidence = number_option(options, "confidence", "phone")
    if confidence not in (None, 0, 1, 2):
        raise SourceError(f"phone: confidence={options['confidence']}, expected 0 (all depth), 1 or 2 (only the best)")
    return PhoneOptions(
        count_option(options, "stride", "phone") or 1,
        count_option(options, "max_frames", "phone"),
        1 if confidence is None else int(confidence),
    )
