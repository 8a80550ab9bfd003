"""Everything that decides what marked views look like, and the switches of the paper's ablations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from spaceland.errors import OutputError
from spaceland.prompts.bev import BevConfig
from spaceland.prompts.ceiling import ROOM_LABELS
from spaceland.prompts.model_frames import ModelFrameMethod
from spaceland.prompts.placement import PlacementConfig
from spaceland.prompts.styles import STYLES, MarkStyle
from spaceland.visibility import VisibilityConfig

LAYOUTS = ("images", "grid")
REFERENCE_WIDTH_PX = 640
GRID_TILE_PX = 512


@dataclass(frozen=True, kw_only=True)
class MarkConfig:
    """Everything that decides what marked views look like."""

    num_frames: int = 8
    choose: ModelFrameMethod = "uniform"
    """uniform: evenly spread, as in the paper. coverage: those that together show most of the room."""
    style: str = "gpt4scene"
    marks: bool = True
    """Draw numbers; False: the same pictures without any."""
    labels: tuple[str, ...] = ()
    """Mark only objects with these labels; empty: all but the room itself (`bev.room_labels`)."""
    only: tuple[int, ...] = ()
    """Mark only objects with these numbers."""
    query: str | None = None
    """Mark only objects whose label occurs in this text (all if it names none)."""
    drop_share: float = 0.0
    """Leave out this share of the marks, the same objects on all pictures."""
    seed: int = 0
    """Decides which marks `drop_share` leaves out."""
    mark_size_px: float | None = None
    """Diameter of marks on a frame 640 px wide; those of the bird's-eye view grow along. None: the style's own (40)."""
    model_long_side_px: int | None = None
    """Longest side of a picture as the model will see it: larger pictures are written at that size, resized with
    antialiasing before marks are drawn on them, and marks are large enough to read there (`min_digit_px`)."""
    min_digit_px: float = 8.0
    """Least height of digits in pixels of the pictures that the model will see."""
    layout: Literal["images", "grid"] = "images"
    """images: every frame is a picture. grid: all frames in one, with captions, as the paper does without training."""
    question: str | None = None
    """Asked at the end of the prompt."""
    table: bool = False
    """Add a table of the numbered objects with labels and boxes to the prompt."""
    max_contradicted: float = 0.1
    """No disc on a frame where more of the object looks unlike the scan (see `spaceland.visibility.photometric`)."""
    bev: BevConfig | None = field(default_factory=BevConfig)
    """None: no bird's-eye view."""
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    visibility: VisibilityConfig = field(default_factory=lambda: VisibilityConfig(width_px=480))

    def __post_init__(self) -> None:
        if self.num_frames < 0:
            raise OutputError(f"--frames {self.num_frames} is negative; give the number of frames, 0 for none")
        if self.num_frames == 0 and self.bev is None:
            raise OutputError("neither frames nor a bird's-eye view are wanted, so there is no picture to make")
        if self.style not in STYLES:
            raise OutputError(f"unknown style '{self.style}'; styles are: {', '.join(STYLES)}")
        if self.layout not in LAYOUTS:
            raise OutputError(f"unknown layout '{self.layout}'; layouts are: {', '.join(LAYOUTS)}")
        if not 0 <= self.drop_share <= 1:
            raise OutputError(f"a share of {self.drop_share} of the marks cannot be dropped; give 0 to 1")
        if self.mark_size_px is not None and not 4 <= self.mark_size_px <= 320:
            raise OutputError(f"marks of {self.mark_size_px} px on a width of 640 are not usable; give 4 to 320")
        if self.model_long_side_px is not None and not 128 <= self.model_long_side_px <= 8192:
            raise OutputError(f"pictures of {self.model_long_side_px} px are not usable; give 128 to 8192")
        if not 1 <= self.min_digit_px <= 100:
            raise OutputError(f"digits of {self.min_digit_px} px are not usable; give 1 to 100")

    @property
    def mark_style(self) -> MarkStyle:
        """The chosen style."""
        return STYLES[self.style]

    @property
    def room_labels(self) -> tuple[str, ...]:
        """Labels of the room itself."""
        return ROOM_LABELS if self.bev is None else self.bev.room_labels

    @property
    def size_factor(self) -> float:
        """Marks are so much larger than the style's own."""
        if self.mark_size_px is None:
            return 1.0
        return self.mark_size_px / (self.mark_style.diameter_share * REFERENCE_WIDTH_PX)
