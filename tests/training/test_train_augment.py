"""The zoom: cameras follow the pictures exactly, metres stay, and rays say what the pixels are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra model")

from PIL import Image
from training_data import row, write_rows

from spaceland.geometry.camera import PinholeCamera
from spaceland.questions.marks import Mark
from spaceland.training.augment import Window, window_rule
from spaceland.training.collate import PlannedSamples
from spaceland.training.config import AugmentConfig, DataConfig, StageConfig
from spaceland.training.mixture import make_order
from spaceland.training.samples import Sample, Still, Turn, load_sample
from spaceland.training.sources import open_source


def test_points_fall_on_the_same_pixels_of_the_window() -> None:
    camera = PinholeCamera(640, 480, 520.0, 525.0, 318.0, 242.0)
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 5], (50, 3))
    for seed in range(20):
        window = window_rule(AugmentConfig(min_zoom=0.5, probability=1.0))(Random(seed))
        (left, top, right, bottom), inner = window.of(camera)
        assert 0 <= left < right <= 640 and 0 <= top < bottom <= 480
        assert (right - left) / (bottom - top) == pytest.approx(4 / 3, rel=0.01)
        whole, _ = camera.project(points)
        part, _ = inner.project(points)
        np.testing.assert_allclose(part, whole - [left, top], atol=1e-9)


def test_all_frames_share_the_window_and_texts_stay(tmp_path: Path) -> None:
    rows = [row(0, images=[f"images/room/{k}.png" for k in range(3)], answer="[0.5, 1.0, 2.0]",
                facts={"cameras": [{"horizontal_fov_deg": 60.0}] * 3}), row(1, facts={})]  # fmt: skip
    write_rows(tmp_path / "rows", rows)
    source = open_source(DataConfig(kind="rows", path="rows"), tmp_path)
    rule = window_rule(AugmentConfig(min_zoom=0.6, max_zoom=0.6, probability=1.0))
    plain, zoomed, again = (load_sample(source.sample(0), w, "7") for w in (None, rule, rule))
    assert [view.image.size for view in zoomed.views] == [(38, 29)] * 3
    cameras = [view.camera for view in zoomed.views]
    assert cameras[0] == cameras[1] == cameras[2] and cameras[0].fx == plain.views[0].camera.fx  # type: ignore[union-attr]
    assert zoomed.turns[1] == plain.turns[1] == ("assistant", ("[0.5, 1.0, 2.0]",))
    assert [v.image.tobytes() for v in zoomed.views] == [v.image.tobytes() for v in again.views]
    other = load_sample(source.sample(0), rule, "8")
    assert other.views[0].camera != cameras[0]
    # Where a camera is not known, nothing is zoomed: the text's metres would no longer fit.
    assert load_sample(source.sample(1), rule, "7").views[0].image.size == (64, 48)


@pytest.mark.parametrize("names", [(), ("Object1", "Object2")])
def test_no_window_cuts_a_mark_off(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Wherever marks lie, as much of them is seen in the window as in the whole picture."""
    path = tmp_path / "x.png"
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(path)
    draw = window_rule(AugmentConfig(min_zoom=0.5, probability=1.0))
    rng, zoomed = Random(0), 0

    def colours(sample: Sample, window: Callable[[Random], Window] | None, seed: str) -> int:
        (view,) = load_sample(sample, window, seed).views
        return int((np.asarray(view.image, int) - 128).any(-1).sum())

    for k in range(60):
        x, y = rng.randint(100, 800), rng.randint(100, 800)
        marks = (Mark("red", "point", 0, 0, (x, y), 0.03),
                 Mark("blue", "bbox", 1, 0, (x, y, min(1000, x + 150), min(1000, y + 100)), 0.006))  # fmt: skip
        still = Still(path, marks[k % 2 :], 60.0, names=names)
        sample = Sample(str(k), "s", "3d", (Turn("user", (0,)),), (still,))
        assert colours(sample, draw, "0") == colours(sample, None, "0")
        zoomed += load_sample(sample, draw, "0").views[0].image.width < 320
    assert zoomed > 20


def test_hidden_cameras_are_a_share_and_repeat(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows", [row(k, facts={"cameras": [{"horizontal_fov_deg": 60.0}]}) for k in range(40)])
    sources = [open_source(DataConfig(kind="rows", path="rows"), tmp_path)]
    order = make_order(sources, StageConfig(data=(), train=("adapter",), batch=4), 0, 12)

    def known(share: float) -> list[bool]:
        items = PlannedSamples(sources, order, seed="0:x", hide_camera=share)
        chats = [items[k].chat for k in range(len(items))]
        return [chat[0].content[0].K is not None for chat in chats if chat]  # type: ignore[union-attr]

    assert len(known(0.0)) == 40 and all(known(0.0)) and not any(known(1.0))
    assert 8 < sum(known(0.5)) < 32 and known(0.5) == known(0.5)


def test_scale_shows_in_the_rays_and_only_there(tmp_path: Path) -> None:
    """A picture at 0.8 of its size is the same view: equal rays. A window of 0.8 is another view: rays follow."""
    pytest.importorskip("transformers", reason="needs the extra model")
    from training_data import save_model
    from transformers import AutoConfig

    from spaceland.chat.image_processor import load_processor
    from spaceland.chat.types import Message
    from spaceland.models.families import family_of
    from spaceland.models.processor import CameraPicture, GeometryProcessor
    from spaceland.training.samples import View

    folder = save_model(tmp_path / "model")
    family = family_of(AutoConfig.from_pretrained(folder))
    processor = GeometryProcessor(
        load_processor(str(folder)), family, family.token_grid(long_side_cells=4), geometry=False, rays=True
    )
    camera = PinholeCamera.from_fov(640, 480, 60.0)
    from PIL import Image

    view = View(Image.new("RGB", (640, 480)), camera)

    def rays(view: View) -> np.ndarray:
        picture = CameraPicture(view.image, view.camera.K)  # type: ignore[union-attr]
        return processor([[Message("user", (picture, "x"))]], add_generation_prompt=False)["geometry_rays"][0][
            0
        ].numpy()

    whole = rays(view)
    smaller = rays(View(view.image.resize((512, 384)), camera.scaled(512, 384)))
    np.testing.assert_allclose(smaller, whole, atol=1e-6)
    box, inner = Window(0.8, 0.5, 0.5).of(camera)
    zoomed = rays(View(view.image.crop(box), inner))
    # Tangents of the centred window's rays are 0.8 of the whole picture's.
    np.testing.assert_allclose(zoomed[..., :2] / zoomed[..., 2:], 0.8 * whole[..., :2] / whole[..., 2:], atol=1e-6)
    # A point at 3 m in the middle of a cell is where camera and ray say, zoomed or not: metres do not change.
    for seen, cam, size in ((whole, camera, (640, 480)), (zoomed, inner, (512, 384))):
        direction = seen[1, 2]
        pixel, _ = cam.project((direction * 3 / direction[2])[None].astype(float))
        np.testing.assert_allclose(pixel[0], [2.5 / 4 * size[0], 1.5 / 3 * size[1]], atol=1e-3)
