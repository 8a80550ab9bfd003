"""Chats between lmms-eval and us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lmmseval_help import write_frames
from PIL import Image

from spaceland.benchmarks.frames import FramePolicy
from spaceland.chat.pictures import decode_picture, make_picture
from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError, SpacelandError
from spaceland.lmmseval.pictures import from_lmms, to_image, to_lmms

PIXELS = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)


def test_there_and_back_is_the_same() -> None:
    messages = [
        Message("system", ["Be brief."]),
        Message("user", ["Frame-0: ", make_picture(PIXELS, "a"), make_picture(PIXELS[:9], "b", lossless=True), "?"]),
    ]
    back = from_lmms(to_lmms(messages), FramePolicy())
    assert [(m.role, list(m.content)) for m in back] == [(m.role, list(m.content)) for m in messages]


def test_a_picture_that_was_changed_is_encoded_anew() -> None:
    image = to_image(make_picture(PIXELS, "a")).resize((20, 15))
    assert "spaceland_picture" in image.info
    (message,) = from_lmms([{"role": "user", "content": [{"type": "image", "url": image}]}], FramePolicy())
    (picture,) = message.content
    assert isinstance(picture, Picture) and (picture.width, picture.height) == (20, 15)
    assert np.array_equal(np.array(decode_picture(picture)), np.array(image))


def test_pictures_of_others_lose_nothing_unless_shrunk(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for source in (Image.fromarray(PIXELS), str(tmp_path / "a.png"), {"url": str(tmp_path / "a.png")}):
        chat = [{"role": "user", "content": [{"type": "image", "url": source}, {"type": "text", "text": "?"}]}]
        picture, words = from_lmms(chat, FramePolicy())[0].content
        assert words == "?" and np.array_equal(np.array(decode_picture(picture)), PIXELS)
        small = from_lmms(chat, FramePolicy(long_side_px=20))[0].content[0]
        assert (small.width, small.height) == (20, 15)


def test_videos_become_frames(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.mp4", 1)
    chat = [{"role": "user", "content": [{"type": "video", "url": str(tmp_path / "a.mp4")}]}]
    pictures = from_lmms(chat, FramePolicy(num=3))[0].content
    greys = [np.array(decode_picture(picture)).mean() for picture in pictures]
    assert np.allclose(greys, [1, 81, 161], atol=4)
    with pytest.raises(SpacelandError, match="no file"):
        from_lmms([{"role": "user", "content": [{"type": "video", "url": str(tmp_path / "b.mp4")}]}], FramePolicy())


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"type": "audio", "url": "a.wav"}, "type 'audio'"),
        ({"type": "image", "url": 7}, "int"),
        ({"type": "video", "url": {"url": "a.mp4", "video_start": 1.0}}, "part of a video"),
    ],
)
def test_what_models_here_cannot_take(part: dict, problem: str) -> None:
    with pytest.raises(ChatError, match=problem):
        from_lmms([{"role": "user", "content": [part]}], FramePolicy())


def test_plain_text_content() -> None:
    assert from_lmms([{"role": "user", "content": "hello"}], FramePolicy())[0].content == ["hello"]
