"""The images of a 3RScan scan, from its sequence/ folder or straight out of sequence.zip.

Nothing is unpacked: members are found by their names (frame-000000.color.jpg and so on), read when they are asked for,
and refused when they are far larger than any such image. Conventions are told in `spaceland.scenes.threerscan`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spaceland.errors import SceneError
from spaceland.files import ZIP_ERRORS
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.images import check_size, content_key, depth_from_counts, pick, read_pgm
from spaceland.scenes.scene import Frame

_NAME = re.compile(r"frame-(\d+)\.(color\.jpg|depth\.pgm|pose\.txt)")
_MAX_MEMBER_BYTES = 1 << 26


@dataclass(frozen=True)
class Members:
    """Files of a sequence by their plain name: `places` are paths in the folder, or full names in the archive."""

    path: Path
    places: dict[str, str]

    @property
    def zipped(self) -> bool:
        return self.path.suffix == ".zip"

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            SceneError: missing, damaged or absurdly large.
        """
        if name not in self.places:
            raise SceneError(f"missing file: {self.path / name}")
        try:
            if not self.zipped:
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                info = archive.getinfo(self.places[name])
                if info.file_size > _MAX_MEMBER_BYTES:
                    raise SceneError(f"{self.path}: {name} would have {info.file_size} bytes; the archive is damaged")
                return archive.read(info)
        except ZIP_ERRORS as error:
            raise SceneError(f"{self.path / name} cannot be read ({error}); copy it again") from error

    def file(self, name: str) -> Path | None:
        """The path of a file that lies in a folder."""
        return None if self.zipped else self.path / name

    def key(self, name: str | None, scale: float) -> Callable[[], str]:
        """Content key of a file; an archive states a checksum of each member, which saves unpacking it."""
        if name is None or not self.zipped:
            return content_key(self.path / name if name else None, scale)
        return partial(_zip_key, self, name, scale)


def _zip_key(members: Members, name: str, scale: float) -> str:
    try:
        with zipfile.ZipFile(members.path) as archive:
            info = archive.getinfo(members.places[name])
            return content_key(repr((info.CRC, info.file_size, scale)))()
    except ZIP_ERRORS as error:
        raise SceneError(f"{members.path} cannot be read ({error}); copy it again") from error


def read_frames(path: Path, stride: int, max_frames: int | None, skipped: Counter[str]) -> list[Frame]:
    """The frames of a scan; lost ones have a pose of NaN, what is missing is counted.

    Raises:
        SceneError: the archive or _info.txt is damaged, or the archive has unsafe names.
    """
    members = _members(path)
    if members is None:
        skipped["frames: no sequence/ and no sequence.zip; mesh and objects still work"] += 1
        return []
    numbers = sorted({int(match[1]) for match in map(_NAME.fullmatch, members.places) if match})
    names = {number: f"frame-{number:06d}" for number in numbers}
    colored = [n for n in numbers if f"{names[n]}.color.jpg" in members.places]
    skipped["frame: no colour image"] += len(numbers) - len(colored)
    if not colored:
        return []
    facts = _facts(members)
    scale = float(facts.get("m_depthShift", [1000.0])[0])
    if not scale > 0:
        raise SceneError(f"{members.path}: m_depthShift is {scale} in _info.txt, expected 1000 for millimetres")
    camera = _camera(members, facts, "Color", _jpeg_size(members, f"{names[colored[0]]}.color.jpg"))
    deep = next((n for n in colored if f"{names[n]}.depth.pgm" in members.places), None)
    depth_camera = None
    if deep is not None:
        height, width = read_pgm(members.read(f"{names[deep]}.depth.pgm"), f"{members.path}: {names[deep]}").shape
        depth_camera = _camera(members, facts, "Depth", (width, height))
    frames = []
    for number in pick(colored, stride, max_frames):
        color, depth, pose = (f"{names[number]}.{end}" for end in ("color.jpg", "depth.pgm", "pose.txt"))
        T_world_cam = _pose(members.read(pose)) if pose in members.places else None
        if T_world_cam is None:
            skipped["frame: no pose file" if pose not in members.places else "frame: pose file is damaged"] += 1
            continue
        has_depth = depth in members.places and depth_camera is not None
        if not has_depth:
            skipped["depth: no image for a frame; colour and mesh still work"] += 1
        frames.append(
            Frame(
                id=f"{number:06d}",
                camera=camera,
                T_world_cam=T_world_cam,
                color=partial(_color, members, color, camera),
                content_key=members.key(depth if has_depth else None, scale),
                color_path=members.file(color),
                depth=partial(_depth, members, depth, depth_camera, scale) if has_depth and depth_camera else None,
                depth_camera=depth_camera if has_depth else None,
            )
        )
    return frames


def _members(path: Path) -> Members | None:
    folder, archive = path / "sequence", path / "sequence.zip"
    if folder.is_dir():
        return Members(folder, {file.name: file.name for file in folder.iterdir()})
    if not archive.is_file():
        return None
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except ZIP_ERRORS as error:
        raise SceneError(
            f"{archive} is not a readable archive ({error}); it may be truncated, copy it again"
        ) from error
    unsafe = [name for name in names if ".." in re.split(r"[/\\]", name) or re.match(r"[/\\]|[A-Za-z]:", name)]
    if unsafe:
        raise SceneError(
            f"{archive} holds '{unsafe[0][:80]}', a name that leads out of its folder; it is not from 3RScan, "
            "do not unpack it, copy it again"
        )
    return Members(archive, {PurePosixPath(name).name: name for name in names if not name.endswith("/")})


def _facts(members: Members) -> dict[str, list[float]]:
    """The `key = numbers` lines of _info.txt; lines that hold other things are left alone."""
    facts = {}
    for line in members.read("_info.txt").decode(errors="replace").splitlines():
        key, _, value = line.partition("=")
        try:
            numbers = [float(word) for word in value.split()]
        except ValueError:
            continue
        if numbers:
            facts[key.strip()] = numbers
    return facts


def _camera(members: Members, facts: dict[str, list[float]], which: str, size: tuple[int, int]) -> PinholeCamera:
    """Camera of colour or depth images of a size."""
    numbers = facts.get(f"m_calibration{which}Intrinsic", [])
    full = [int(facts.get(f"m_{which.lower()}{side}", [size[k]])[0]) for k, side in enumerate(("Width", "Height"))]
    try:
        if len(numbers) != 16:
            raise ValueError(f"{len(numbers)} numbers, expected 16")
        return PinholeCamera.from_opencv(full[0], full[1], np.array(numbers).reshape(4, 4)).scaled(*size)
    except ValueError as error:
        raise SceneError(f"{members.path}: m_calibration{which}Intrinsic in _info.txt: {error}") from error


def _pose(data: bytes) -> Float[np.ndarray, "4 4"] | None:
    """A pose file; NaN where tracking was lost (infinite or all zero), None when the file is no matrix."""
    try:
        pose = np.array([[float(word) for word in line.split()] for line in data.split(b"\n") if line.strip()])
    except ValueError:
        return None
    if pose.shape != (4, 4):
        return None
    return pose if np.isfinite(pose).all() and pose[:3, :3].any() else np.full((4, 4), np.nan)


def _jpeg_size(members: Members, name: str) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(members.read(name))) as image:
            size = image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(f"{members.path / name} is not a readable image ({error}); copy it again") from error
    check_size(*size, str(members.path / name))
    return size


def _color(members: Members, name: str, camera: PinholeCamera) -> UInt8[np.ndarray, "h w 3"]:
    try:
        with Image.open(io.BytesIO(members.read(name))) as image:
            colors = np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(
            f"{members.path / name} is not a readable image ({error}); the file may be truncated, copy it again"
        ) from error
    _check_fits(colors, camera, members.path / name)
    return colors


def _depth(members: Members, name: str, camera: PinholeCamera, scale: float) -> Float[np.ndarray, "h w"]:
    counts = read_pgm(members.read(name), str(members.path / name))
    _check_fits(counts, camera, members.path / name)
    return depth_from_counts(counts, scale)


def _check_fits(image: np.ndarray, camera: PinholeCamera, path: Path) -> None:
    if image.shape[:2] != (camera.height, camera.width):
        raise SceneError(
            f"{path} is {image.shape[1]}x{image.shape[0]}, but its camera is {camera.width}x{camera.height}; "
            "all images of one kind must have one size"
        )
