"""Where scenes come from: `kind:location?option=value` or a bare path.

Each kind is one module below with two functions:

    open_source(location: str, options: dict[str, str]) -> Source
    recognise(path: Path) -> bool          # does a bare path look like this kind?

Adding a kind is one new file and one line in `KINDS`.

    rooms:7                       generated sample room with seed 7 (rooms:1-4 for four of them)
    folder:out/scenes             spaceland's own open scene folders
    scannet:/data/scans           ScanNet exports
    rgbd:kitchen?up=0,0,1         a folder of posed RGB-D frames
    phone:room.r3d                recordings of Record3D, Stray Scanner and Polycam
    posed:kitchen?mesh=mesh.ply   posed pictures (transforms.json, COLMAP text) with a mesh or depth
    scannetpp:/data/scannetpp     ScanNet++ (?stream=dslr for its photos)
    arkitscenes:/data/ARKitScenes ARKitScenes videos
    3rscan:/data/3RScan           3RScan scans
    structured3d:/data/S3D        Structured3D rooms, single views
    matterport3d:/data/v1/scans   Matterport3D regions (?unit=house for whole buildings)
    embodiedscan:/data            EmbodiedScan's boxes over the images of other datasets
    vsi:scannet_meta_info_val.json boxes, counts and floor areas as VSI-Bench describes rooms; no pictures
    python:reader.py?at=/data     a reader of your own (docs/own-scans.md)
    work:out/room                 what `spaceland reconstruct` made of a capture
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from spaceland.errors import SourceError
from spaceland.scenes.scene import Scene

# Order matters for bare paths: the first kind that recognises a folder wins.
KINDS = {
    "rooms": "spaceland.scenes.rooms",
    "folder": "spaceland.scenes.folder",
    "scannet": "spaceland.scenes.scannet",
    "rgbd": "spaceland.scenes.rgbd",
    "phone": "spaceland.scenes.phone",
    "posed": "spaceland.scenes.posed",
    "scannetpp": "spaceland.scenes.scannetpp",
    "arkitscenes": "spaceland.scenes.arkitscenes",
    "3rscan": "spaceland.scenes.threerscan",
    "structured3d": "spaceland.scenes.structured3d",
    "matterport3d": "spaceland.scenes.matterport3d",
    "embodiedscan": "spaceland.scenes.embodiedscan",
    "vsi": "spaceland.scenes.vsi",
    "python": "spaceland.scenes.python_file",
    "work": "spaceland.pipeline.work",
}


class Source(Protocol):
    """A set of scenes that can be listed and opened one at a time."""

    kind: str

    def ids(self) -> Sequence[str]:
        """Scene ids in a stable order."""
        ...

    def open(self, scene_id: str) -> Scene:
        """Open one scene; images stay on disk until they are asked for."""
        ...


def parse_spec(spec: str) -> tuple[str, str, dict[str, str]]:
    """Split `kind:location?key=value&key=value`. The kind is empty for a bare path.

    >>> parse_spec("rgbd:kitchen?up=0,1,0&depth_scale=5000")
    ('rgbd', 'kitchen', {'up': '0,1,0', 'depth_scale': '5000'})
    """
    kind, colon, rest = spec.partition(":")
    if not colon or kind not in KINDS:
        # A Windows drive or a colon in a name is not a kind; an unknown short word most likely is a typing error.
        if colon and kind.isidentifier() and len(kind) > 1 and not Path(spec).exists():
            raise SourceError(f"unknown source kind '{kind}' in '{spec}'; kinds are: {', '.join(KINDS)}")
        kind, rest = "", spec
    location, _, query = rest.partition("?")
    options = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise SourceError(f"option '{part}' in '{spec}' has no value; write key=value")
        options[key] = value
    return kind, location, options


def open_source(spec: str) -> Source:
    """Open a source by its specification.

    Raises:
        SourceError: unknown kind, missing path, or a folder that no kind (or more than one) recognises.
    """
    kind, location, options = parse_spec(spec)
    if not kind:
        path = Path(location)
        if not path.exists():
            raise SourceError(
                f"'{location}' does not exist; give a path or kind:location with a kind of {', '.join(KINDS)}"
            )
        if path.is_dir() and not any(path.iterdir()):
            raise SourceError(f"the folder '{location}' is empty; give one that holds a scene, or a video or pictures")
        candidates = [name for name in KINDS if importlib.import_module(KINDS[name]).recognise(path)]
        if not candidates:
            raise SourceError(
                f"'{location}' is not recognised as any of {', '.join(KINDS)}; "
                f"say what it is, for example scannet:{location}, and see docs/sources.md for the layouts"
            )
        if len(candidates) > 1:
            raise SourceError(
                f"'{location}' could be {' or '.join(candidates)}; say which, for example {candidates[0]}:{location}"
            )
        kind = candidates[0]
    return importlib.import_module(KINDS[kind]).open_source(location, options)


def open_scene(spec: str, scene_id: str | None = None) -> Scene:
    """Open one scene; `scene_id` may be left out when the source holds a single one.

    Raises:
        SourceError: no such scene, or several to choose from.
    """
    source = open_source(spec)
    ids = source.ids()
    if scene_id is None and len(ids) == 1:
        scene_id = ids[0]
    if scene_id is None or scene_id not in ids:
        shown = ", ".join(ids[:8]) + (", ..." if len(ids) > 8 else "")
        wanted = f"no scene '{scene_id}' in '{spec}'" if scene_id else f"'{spec}' holds {len(ids)} scenes"
        raise SourceError(f"{wanted}; choose one of: {shown or 'none'}")
    return source.open(scene_id)


def check_options(kind: str, options: dict[str, str], known: Sequence[str]) -> None:
    """Refuse options that a kind does not know, with the known ones named."""
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SourceError(f"{kind}: unknown option {', '.join(unknown)}; known are {', '.join(known) or 'none'}")


def iterate_scenes(specs: Sequence[str]) -> Iterator[tuple[str, str, Source]]:
    """(spec, scene id, source) of every scene of several sources, in order.

    Raises:
        SourceError: a scene id occurs twice; outputs are named by scene id, so they would overwrite each other.
    """
    seen: dict[str, str] = {}
    for spec in specs:
        source = open_source(spec)
        for scene_id in source.ids():
            if scene_id in seen:
                raise SourceError(
                    f"scene id '{scene_id}' is in both '{seen[scene_id]}' and '{spec}'; give each scene once"
                )
            seen[scene_id] = spec
            yield spec, scene_id, source
