"""Poses from pictures alone, by structure from motion (pycolmap; no weights, no network, no GPU).

Corners and blobs (SIFT) are found in every picture and matched between pairs; the pairs' geometry is checked; cameras
and points are then built up picture by picture. One camera is estimated for all pictures. The result has no scale: a
room and a doll's house with the same pictures are the same to it.

Nothing doubtful is returned: `sfm_checks` says why pictures cannot be posed or a model cannot be trusted.

Repeatable: same pictures, same settings, same pycolmap and machine give the same bytes. For that, all random numbers
are seeded and the mapping runs on one thread; finding and matching features run on all, picture by picture and pair
by pair.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import require
from spaceland.files import encode_jpeg
from spaceland.reconstruct import sfm_checks as checks
from spaceland.reconstruct.sfm_model import estimate_of
from spaceland.reconstruct.sfm_pairs import choose_pairs
from spaceland.reconstruct.types import CaptureImage, Estimate, Progress

_PAIRS_AT_ONCE = 100
_TYPICAL_FOCAL = 0.85
"""Focal length over the longer side where nobody knows it: between a phone's photo (0.75) and its video (0.9)."""


@dataclass(frozen=True)
class SfmSettings:
    """How poses are found.

    `focal_px` is the focal length where you know it; else EXIF is used, else 0.85 of the longer side; it is refined in
    any case. `lens` is "SIMPLE_RADIAL" (one distortion coefficient) or "RADIAL" (two). Features are sought in pictures
    of at most `longer_side_px`. `limits` say what is refused.
    """

    focal_px: float | None = None
    lens: str = "SIMPLE_RADIAL"
    longer_side_px: int = 1600
    max_features: int = 4096
    exhaustive_up_to: int = 60
    num_neighbors: int = 10
    seed: int = 0
    num_threads: int = 0
    limits: checks.Limits = field(default_factory=checks.Limits)

    @property
    def threads(self) -> int:
        """Threads for features and matching: `num_threads`, or one for each processor."""
        return self.num_threads or os.cpu_count() or 1


@dataclass(frozen=True)
class SfmEstimator:
    """Structure from motion with pycolmap as a `GeometryEstimator`.

    The views are those of straightened pictures: pass the images through `lens.undistort_images` before using them
    together with the views.
    """

    settings: SfmSettings = field(default_factory=SfmSettings)
    name: str = "sfm"

    def estimate(self, images: Sequence[CaptureImage], progress: Progress | None = None) -> Estimate:
        """Poses, sparse points and the lens.

        Raises:
            ReconstructionError: too few pictures, too little texture, motion or parallax, too few matches, pictures of
                several sizes, or too small a share of them in one model.
            DependencyError: pycolmap is missing.
        """
        require("pycolmap", "recon")
        advance = progress or (lambda steps, note: None)
        checks.pictures(images, self.settings.limits)
        with tempfile.TemporaryDirectory(prefix="spaceland_sfm_") as folder:
            work = _Work(Path(folder), images, self.settings)
            num_features = work.find_features(advance)
            textured = checks.texture(images, num_features, self.settings.limits)
            work.match(textured, advance)
            pairs = work.verified_pairs()
            checks.matches(len(images), pairs, self.settings.limits)
            checks.motion(pairs, images[0].width, self.settings.limits)
            model = work.map(advance)
            estimate = None if model is None else estimate_of(model, images, num_features, self.settings.limits)
        checks.result(estimate, pairs, len(images), self.settings.limits)
        assert estimate is not None
        return estimate


class _Work:
    """The database and pictures of one run in a folder of its own. Picture k is called "%06d.jpg" % k."""

    def __init__(self, folder: Path, images: Sequence[CaptureImage], settings: SfmSettings) -> None:
        self.folder, self.images, self.settings = folder, images, settings
        self.database, self.pictures = folder / "database.db", folder / "pictures"
        self.pictures.mkdir()

    def find_features(self, advance: Progress) -> list[int]:
        """Write the pictures, find their features, and return how many each has."""
        import pycolmap

        for number, image in enumerate(self.images):
            (self.pictures / _file(number)).write_bytes(encode_jpeg(image.color(), 95))
        focal, known = self._focal()
        first = self.images[0]
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = self.settings.lens
        extra = [0.0] * {"SIMPLE_RADIAL": 1, "RADIAL": 2}[self.settings.lens]
        reader.camera_params = ",".join(map(str, [focal, first.width / 2, first.height / 2, *extra]))
        options = pycolmap.FeatureExtractionOptions()
        options.num_threads = self.settings.threads
        options.max_image_size = self.settings.longer_side_px
        options.use_gpu = False
        options.sift.max_num_features = self.settings.max_features
        names = [_file(number) for number in range(len(self.images))]
        single = pycolmap.CameraMode.SINGLE
        with _quiet():
            # Imported first, so that pictures are numbered in order and not as threads finish them.
            pycolmap.Database.open(self.database).close()
            pycolmap.import_images(self.database, self.pictures, single, names, reader)
            pycolmap.extract_features(
                self.database,
                self.pictures,
                image_names=names,
                camera_mode=single,
                reader_options=reader,
                extraction_options=options,
                device=pycolmap.Device.cpu,
            )
        with pycolmap.Database.open(self.database) as database:
            for camera in database.read_all_cameras():
                camera.has_prior_focal_length = known
                database.update_camera(camera)
            self.numbers = {image.image_id: int(image.name[:6]) for image in database.read_all_images()}
            counts = [0] * len(self.images)
            for image_id, number in self.numbers.items():
                counts[number] = database.num_keypoints_for_image(image_id)
        advance(len(self.images), "features found")
        return counts

    def _focal(self) -> tuple[float, bool]:
        """Focal length to start from, and whether it comes from somewhere."""
        if self.settings.focal_px is not None:
            return self.settings.focal_px, True
        known = [image.focal_px for image in self.images if image.focal_px]
        if known:
            return float(np.median(known)), True
        return _TYPICAL_FOCAL * max(self.images[0].width, self.images[0].height), False

    def match(self, usable: Sequence[int], advance: Progress) -> None:
        """Match pairs of pictures and check their geometry."""
        import pycolmap

        pairs = choose_pairs(
            usable,
            in_order=all(self.images[k].timestamp_s is not None for k in usable),
            exhaustive_up_to=self.settings.exhaustive_up_to,
            num_neighbors=self.settings.num_neighbors,
        )
        options = pycolmap.FeatureMatchingOptions()
        options.num_threads = self.settings.threads
        options.use_gpu = False
        checking = pycolmap.TwoViewGeometryOptions()
        checking.ransac.random_seed = self.settings.seed
        checking.ransac.max_num_trials = 3000
        listed = self.folder / "pairs.txt"
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[start : start + _PAIRS_AT_ONCE]
            listed.write_text("".join(f"{_file(a)} {_file(b)}\n" for a, b in part))
            pairing = pycolmap.ImportedPairingOptions()
            pairing.match_list_path = listed
            with _quiet():
                pycolmap.match_image_pairs(
                    self.database,
                    matching_options=options,
                    pairing_options=pairing,
                    verification_options=checking,
                    device=pycolmap.Device.cpu,
                )
            advance(0, f"{start + len(part)} of {len(pairs)} pairs matched")

    def verified_pairs(self) -> list[checks.Pair]:
        """The pairs whose geometry holds, with how far their common features moved."""
        import pycolmap

        flat = pycolmap.TwoViewGeometryConfiguration
        found = []
        with pycolmap.Database.open(self.database) as database:
            points = {k: np.asarray(database.read_keypoints(k))[:, :2] for k in self.numbers}
            ids, geometries = database.read_two_view_geometries()
            for pair_id, geometry in zip(ids, geometries, strict=True):
                matches = np.asarray(geometry.inlier_matches)
                if len(matches) == 0:
                    continue
                a, b = pycolmap.pair_id_to_image_pair(pair_id)
                moved = np.linalg.norm(points[a][matches[:, 0]] - points[b][matches[:, 1]], axis=1)
                kind = pycolmap.TwoViewGeometryConfiguration(geometry.config)
                one_plane = kind in (flat.PLANAR, flat.PANORAMIC, flat.PLANAR_OR_PANORAMIC)
                found.append(
                    checks.Pair(self.numbers[a], self.numbers[b], len(matches), float(np.median(moved)), one_plane)
                )
        return found

    def map(self, advance: Progress) -> Any | None:
        """The model with most pictures; None where there is none."""
        import pycolmap

        options = pycolmap.IncrementalPipelineOptions()
        options.num_threads = options.mapper.num_threads = 1
        options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = self.settings.seed
        options.min_model_size = min(10, max(3, len(self.images) // 2))
        limits = self.settings.limits
        for part in (options, options.mapper, options.triangulation):
            part.min_focal_length_ratio, part.max_focal_length_ratio = limits.min_focal, limits.max_focal
        out = self.folder / "models"
        out.mkdir()
        pycolmap.set_random_seed(self.settings.seed)
        with _quiet():
            models = pycolmap.incremental_mapping(
                self.database,
                self.pictures,
                out,
                options=options,
                next_image_callback=lambda: advance(0, "posing pictures"),
            )
        sizes = {number: model.num_reg_images() for number, model in models.items()}
        return models[max(sizes, key=lambda number: (sizes[number], -number))] if sizes else None


def _file(number: int) -> str:
    return f"{number:06d}.jpg"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No lines of pycolmap's own on the terminal while it works."""
    import pycolmap

    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL.value)
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
