"""Mark styles: what they draw and where, colours that stay, digits that can be read at the model's size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from spaceland.geometry.camera import PinholeCamera
from spaceland.prompts import STYLES, DiscMark, MarkConfig, color_of, draw_marks
from spaceland.prompts.marks import digit_height_px
from spaceland.prompts.pictures import fitted_camera, readable_size_px

GREY = np.full((120, 160, 3), 128, dtype=np.uint8)
REGION_STYLES = ("som", "box", "outline")


def _ids() -> np.ndarray:
    ids = np.full((120, 160), -1, dtype=np.int32)
    y, x = np.mgrid[:120, :160]
    ids[np.hypot(x - 50, y - 60) < 35] = 4
    ids[30:90, 100:150] = 9
    return ids


def _draw(style: str, ids: np.ndarray | None = None) -> np.ndarray:
    marks = [DiscMark(4, 4, (50.5, 60.5), 24.0), DiscMark(9, 9, (125.5, 60.5), 24.0)]
    return draw_marks(GREY, marks, STYLES[style], _ids() if ids is None else ids)


@pytest.mark.parametrize("style", REGION_STYLES)
def test_styles_draw_the_object_in_its_colour_and_nothing_else(style: str) -> None:
    ids, drawn = _ids(), _draw(style)
    away = np.hypot(*(np.mgrid[:120, :160] - np.array([60, 50])[:, None, None])) > 14
    changed = (drawn != 128).any(-1)
    assert (drawn[ids == -1] == 128).all() or style == "box"
    for k in (4, 9):
        color = np.array(color_of(k))
        inside = (ids == k) & away
        if style == "som":
            deep = drawn[60, 75 if k == 4 else 145]
            np.testing.assert_allclose(deep, 128 + 0.4 * (color - 128), atol=1)
            assert changed[inside].all()
        else:
            pure = (np.abs(drawn.astype(int) - color).sum(-1) < 12) & away
            assert pure.any()
            assert not changed[60, 75 if k == 4 else 140]
    rows, columns = np.nonzero(changed & (np.arange(160) < 90))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (26, 94, 16, 84)


@pytest.mark.parametrize("style", REGION_STYLES)
def test_small_id_maps_give_nearly_the_same_picture(style: str) -> None:
    small = _draw(style, _ids()[::2, ::2])
    assert (np.abs(small.astype(int) - _draw(style)).sum(-1) > 60).mean() < 0.04


def test_speckles_of_a_scan_are_not_outlined() -> None:
    ids = _ids()
    rng = np.random.default_rng(0)
    holes = (ids == 9) & (rng.random(ids.shape) < 0.2)
    speckled = np.where(holes, -1, ids)
    speckled[5, 5] = 9
    drawn = _draw("outline", speckled)
    assert (drawn[40:80, 112:116] == 128).all()
    assert (drawn[5, 5] == 128).all()
    np.testing.assert_array_equal(speckled[5, 5], 9)


def test_colours_belong_to_numbers_and_neighbours_differ() -> None:
    colors = np.array([color_of(k) for k in range(60)])
    assert len({tuple(c) for c in colors.tolist()}) == 60
    for step in (1, 2, 3):
        assert np.abs(colors[step:] - colors[:-step]).sum(1).min() > 90
    for style in REGION_STYLES:
        for number in range(60):
            fill, text = STYLES[style].colors(number)
            assert fill == color_of(number) and np.abs(np.subtract(fill, text)).sum() > 200
    assert STYLES["gpt4scene"].colors(3) == STYLES["gpt4scene"].colors(4) == ((139, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("style", sorted(STYLES))
@pytest.mark.parametrize("number", [0, 7, 11, 48, 88, 111, 400, 888, 999])
def test_digits_are_as_high_as_promised(style: str, number: int) -> None:
    """Measured in the drawn picture: rows of digit colour."""
    diameter = readable_size_px(number, 8.0, STYLES[style])
    drawn = draw_marks(GREY, [DiscMark(number, 1, (80.0, 60.0), diameter)], STYLES[style]).astype(float)
    fill, text = (np.array(c, dtype=float) for c in STYLES[style].colors(number))
    across = ((drawn - fill) @ (text - fill)) / ((text - fill) @ (text - fill))
    close = np.hypot(*(np.mgrid[:120, :160] + 0.5 - np.array([60, 80])[:, None, None])) < 0.42 * diameter
    near = across * close * ((drawn - fill - across[..., None] * (text - fill)) ** 2).sum(-1).__lt__(900)
    rows = np.flatnonzero((near > 0.45).any(1))
    assert rows[-1] - rows[0] + 1 >= 8
    assert digit_height_px(number, diameter, STYLES[style]) >= 8.0 - 1e-9
    assert digit_height_px(number, diameter - 2, STYLES[style]) < 9.5


def test_tab_is_inside_its_disc_and_holds_its_number() -> None:
    for number in (3, 27, 888):
        drawn = draw_marks(GREY, [DiscMark(number, 1, (80.5, 60.5), 40.0)], STYLES["outline"], None)
        rows, columns = np.nonzero((drawn != 128).any(-1))
        assert np.hypot(rows + 0.5 - 60.5, columns + 0.5 - 80.5).max() <= 21
        assert (drawn == STYLES["outline"].colors(number)[1]).all(-1).sum() > 25
    assert ImageDraw.Draw(Image.new("L", (1, 1))).textlength("0", font=ImageFont.load_default(20)) > 0


def test_pictures_shrink_to_the_models_size_and_never_grow() -> None:
    camera = PinholeCamera(1296, 968, 1000.0, 1000.0, 648.0, 484.0)
    small = fitted_camera(camera, 512)
    assert (small.width, small.height) == (512, 382)
    assert small.fx == pytest.approx(1000 * 512 / 1296)
    assert fitted_camera(camera, 2000) == camera == fitted_camera(camera, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "pile"}, "unknown layout 'pile'; layouts are: images, grid"),
        ({"drop_share": 1.5}, "0 to 1"),
        ({"mark_size_px": float("nan")}, "4 to 320"),
        ({"model_long_side_px": 10}, "128 to 8192"),
        ({"min_digit_px": 0}, "1 to 100"),
        ({"num_frames": 0, "bev": None}, "no picture to make"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict, message: str) -> None:
    from spaceland.errors import OutputError

    with pytest.raises(OutputError, match=message):
        MarkConfig(**wrong)
