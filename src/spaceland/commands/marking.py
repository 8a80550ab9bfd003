"""What the verbs that make marked views share: the switches of marks and of the view from above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from spaceland.errors import ChatError

if TYPE_CHECKING:
    from pathlib import Path

    from spaceland.prompts import MarkConfig, MarkedScene
    from spaceland.prompts.marked import MarkedFolder
    from spaceland.scenes.scene import Scene

Projection = Literal["orthographic", "perspective", "none"]


@dataclass(frozen=True, kw_only=True)
class MarkSwitches:
    """Switches of marked views; on the command line each is an option of the verbs that make them."""

    choose: Literal["uniform", "coverage"] = "uniform"
    """uniform: frames evenly spread over the video, as in the paper. coverage: those that show most of the room."""
    size: int = 1024
    """Longest side of the bird's-eye view in pixels."""
    style: Literal["gpt4scene", "ringed", "som", "box", "outline"] = "gpt4scene"
    """gpt4scene: dark red discs as in the paper. ringed: with a white rim. som: number and coloured mask. box: number
    and rectangle. outline: number and outline."""
    labels: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LABEL [LABEL ...]")] = ()
    """Mark only objects with these labels; by default all but the room itself."""
    only: Annotated[tuple[int, ...], tyro.conf.arg(metavar="NUMBER [NUMBER ...]")] = ()
    """Mark only objects with these numbers."""
    query: str | None = None
    """Mark only objects whose label occurs in this text; all if it names none."""
    no_marks: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The same pictures without numbers."""
    drop: float = 0.0
    """Leave out this share of the marks (0 to 1), the same objects on all pictures."""
    seed: int = 0
    """Decides which marks are dropped."""
    mark_size: float | None = None
    """Diameter of marks on a frame 640 px wide; 40 by default, as in the paper."""
    long_side: int | None = None
    """Longest side of a picture as the model will see it; pictures are written at that size, with marks that can be
    read there."""
    ceiling_height_m: float | None = None
    """Leave out unnamed surface above this height over the floor; found automatically by default."""
    crop: tuple[float, float, float, float] | None = None
    """Show only this area from above: least x, least y, greatest x, greatest y in metres."""
    crop_to: Annotated[tuple[int, ...], tyro.conf.arg(metavar="ID [ID ...]")] = ()
    """Show only the area of these objects (ids as in objects.json) from above."""
    fov_deg: float = 60.0
    """Angle of view of the perspective view along its longer side."""
    camera_height_m: float | None = None
    """Height of the perspective view's camera above the floor; by default as low as shows everything."""
    fill_holes: float | None = None
    """Fill holes of the scan up to this width in metres in the view from above; 0: leave them white. By default 0.3
    where the geometry was estimated from pictures, else 0."""
    camera_path: bool = False
    """Draw the way of the camera on the view from above."""
    grid: float | None = None
    """Draw a grid with so many metres between lines on the view from above."""

    def config(self, frames: int, projection: Projection = "orthographic") -> MarkConfig:
        """The settings of marked views with so many frames.

        Raises:
            OutputError, SceneError: a switch makes no sense.
        """
        from spaceland.prompts import BevConfig, MarkConfig
        from spaceland.scenes.scene import normalise_label

        view = None
        if projection != "none":
            view = BevConfig(
                size_px=self.size,
                ceiling_height_m=self.ceiling_height_m,
                projection=projection,
                fov_deg=self.fov_deg,
                camera_height_m=self.camera_height_m,
                crop_m=self.crop,
                crop_to=self.crop_to,
                fill_holes_m=self.fill_holes,
                camera_path=self.camera_path,
                grid_m=self.grid,
            )
        return MarkConfig(
            num_frames=frames,
            choose=self.choose,
            style=self.style,
            marks=not self.no_marks,
            labels=tuple(normalise_label(label) for label in self.labels),
            only=self.only,
            query=self.query,
            drop_share=self.drop,
            seed=self.seed,
            mark_size_px=self.mark_size,
            model_long_side_px=self.long_side,
            bev=view,
        )


Switches = Annotated[MarkSwitches, tyro.conf.arg(name="")]
"""As a parameter: every switch becomes an option of the verb, without a prefix."""
DEFAULT = MarkSwitches()


def marked_views(scene: Scene, out: Path, config: MarkConfig) -> MarkedScene:
    """Marked views of a scene in the folder `out`, with a progress bar."""
    from spaceland.progress import progress_bar
    from spaceland.prompts import mark_scene

    with progress_bar("frames", min(config.num_frames, len(scene.frames))) as advance:
        return mark_scene(scene, out, config, progress=lambda done, total: advance(1, ""))


def check_same(marked: MarkedFolder, switches: MarkSwitches, projection: Projection) -> None:
    """Refuse switches that a folder of marked views was not made with; those at their defaults ask for nothing.

    Raises:
        ChatError: a switch was given that the folder does not agree with.
    """
    usual, there = _flat(asdict(DEFAULT.config(1))), _flat(marked.settings)
    asked = {f"--{field.name.replace('_', '-')}": _alone(switches, field.name) for field in fields(switches)}
    asked["--projection"] = DEFAULT.config(1, projection)
    differing = []
    for option, config in asked.items():
        for key, value in _flat(asdict(config)).items():
            if value != usual[key] and value != there.get(key):
                found = f"{there[key]!r}" if key in there else "unknown"
                differing.append(f"{option} asks for {value!r}, and it is {found}")
    if differing:
        raise ChatError(
            f"{marked.folder} is marked already, with other settings: {'; '.join(differing)}. Leave these options out "
            "to ask about it as it is, or give the scene that it was made from to have it marked anew"
        )


def _alone(switches: MarkSwitches, name: str) -> MarkConfig:
    """The settings with this switch alone as given."""
    return replace(DEFAULT, **{name: getattr(switches, name)}).config(1)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those of the view as "bev.size_px", in the types that JSON has."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": entry for inner, entry in _flat(value).items()}
        else:
            found[key] = list(value) if isinstance(value, tuple) else value
    return found
