"""Token counts against published examples, a plain reference, and the processors of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spaceland.chat.estimate import estimate, picture_tokens, read_prices, rule_of
from spaceland.chat.pictures import make_picture, shrunk_size
from spaceland.chat.types import Generation, Message
from spaceland.errors import ChatError, SceneError


def test_qwen_counts_of_the_paper() -> None:
    # 512 x 490 becomes 504 x 504: 324 tokens, and 33 pictures 10,692. Frames of 512 x 384 have 252.
    assert picture_tokens(512, 490, "qwen2") - 2 == 324
    assert 33 * (picture_tokens(512, 490, "qwen2") - 2) == 10_692
    assert picture_tokens(512, 384, "qwen2") - 2 == 252


@pytest.mark.parametrize(
    ("rule", "side", "low", "high"), [("qwen2", 28, 56**2, 3584**2), ("qwen3", 32, 256**2, 4096**2)]
)
def test_qwen_counts_as_transformers(rule: str, side: int, low: int, high: int) -> None:
    pytest.importorskip("transformers", reason="needs the extra model")
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    sizes = np.random.default_rng(0).integers(20, 6000, (300, 2)).tolist()
    for width, height in [*sizes, (30, 30), (5000, 5000), (28, 5000), (640, 480)]:
        h, w = smart_resize(height, width, factor=side, min_pixels=low, max_pixels=high)
        assert picture_tokens(width, height, rule) - 2 == h * w // side**2  # type: ignore[arg-type]


def test_tiles_as_openai_documents_them() -> None:
    # 1024 x 1024 -> 768 x 768 -> 4 tiles; 2048 x 4096 -> 1024 x 2048 -> 768 x 1536 -> 6 tiles; low is always 85.
    assert picture_tokens(1024, 1024, "tiles", "high") == 765
    assert picture_tokens(2048, 4096, "tiles", "high") == 1105
    assert picture_tokens(4096, 8192, "tiles", "low") == 85
    assert picture_tokens(512, 512, "tiles", "high") == 255


def test_internvl_tiles() -> None:
    assert picture_tokens(448, 448, "tiles448") == 258
    assert picture_tokens(896, 448, "tiles448") == 3 * 256 + 2
    assert picture_tokens(896, 448, "tiles448", alone=False) == 258


def test_rules_by_name() -> None:
    names = {
        "Qwen/Qwen2-VL-7B": "qwen2",
        "qwen2.5-vl-72b-instruct": "qwen2",
        "Qwen3-VL-8B": "qwen3",
        "OpenGVLab/InternVL3-8B-hf": "tiles448",
        "gpt-4o": "tiles",
        "gpt4scene": "qwen2",
        "claude": "pixels",
    }
    assert {name: rule_of(name) for name in names} == names


def test_estimate_and_prices(tmp_path: Path) -> None:
    picture = make_picture(np.zeros((512, 512, 3), np.uint8), "x")
    messages = [Message("user", [picture, "a" * 400])]
    none = estimate(messages, Generation(1000), model="gpt-4o-2030")
    assert none.picture_tokens == (255,) and none.text_tokens == 105 and none.cost_max is None
    assert "price unknown" in str(none)
    counted = estimate(messages, Generation(), model="m", count_text=lambda text: len(text) // 100)
    assert counted.text_tokens == 9
    (tmp_path / "p.json").write_text(
        json.dumps(
            {
                "gpt-4o": {"input_per_million": 2, "output_per_million": 10, "currency": "EUR"},
                "gpt": {"input_per_million": 99, "output_per_million": 99},
            }
        )
    )
    priced = estimate(messages, Generation(1000), model="gpt-4o-2030", prices=read_prices(tmp_path / "p.json"))
    assert priced.cost_input == pytest.approx(360 * 2e-6)
    assert priced.cost_max == pytest.approx(360 * 2e-6 + 1000 * 10e-6) and "EUR" in str(priced)


@pytest.mark.parametrize(
    "text", ["[]", '{"m": 3}', '{"m": {"input_per_million": "1", "output_per_million": 1}}',
             '{"m": {"input_per_million": -1, "output_per_million": 1}}', '{"m": {"input_per_million": 1}}']
)  # fmt: skip
def test_prices_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ChatError, match=r"p\.json"):
        read_prices(tmp_path / "p.json")


def test_missing_prices(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="missing"):
        read_prices(tmp_path / "none.json")


def test_sizes_are_cut_not_rounded() -> None:
    assert shrunk_size(1296, 968, 512) == (512, int(968 * (512 / 1296))) == (512, 382)
    assert shrunk_size(4000, 1, 512) == (512, 1)
    with pytest.raises(ChatError):
        shrunk_size(10, 10, 0)
