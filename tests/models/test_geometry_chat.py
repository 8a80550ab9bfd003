"""`geometry:PATH` as commands use it: answers, batches, controls, errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_models import tiny_model, wake
from vgllm_writer import tiny_vggt

from spaceland.chat.geometry import GeometryChat, GeometryConfig
from spaceland.chat.open_model import ModelOptions, open_model, parse_model
from spaceland.chat.pictures import make_picture
from spaceland.chat.types import Generation, Message, Picture
from spaceland.errors import ChatError
from spaceland.models.answering import clip_key
from spaceland.models.encoders.vggt import save_vggt
from spaceland.models.sources import Sources


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("geometry")
    save_vggt(tiny_vggt(), folder / "vggt")
    sources = Sources(encoder=f"vggt:{folder / 'vggt'}")
    wake(tiny_model(encoder=tiny_vggt(), sources=sources, max_tokens=400)).save_pretrained(folder / "model")  # type: ignore[arg-type]
    return folder


def messages(text: str, count: int = 2, seed: int = 1) -> list[Message]:
    rng = np.random.default_rng(seed)
    pictures = [make_picture(rng.integers(0, 255, (60, 90, 3), np.uint8), f"{k}") for k in range(count)]
    return [Message("user", [*pictures, text])]


def test_it_answers_and_says_what_it_is_made_of(saved: Path) -> None:
    model = open_model(parse_model(f"geometry:{saved / 'model'}"), ModelOptions(device="cpu"))
    assert isinstance(model, GeometryChat) and model.name == f"geometry:{saved / 'model'}"
    first, second = (model.complete(messages("What is this?"), Generation(max_tokens=6)) for _ in range(2))
    assert first == second and 1 <= first.usage["completion_tokens"] <= 6
    assert first.usage["prompt_tokens"] > 24
    hot = [model.complete(messages("What?"), Generation(8, 1.5, seed=k)).text for k in (1, 1)]
    assert hot[0] == hot[1]
    facts = model.facts()
    assert facts["encoder"] == f"vggt:{saved / 'vggt'}" and facts["fusion"] == "add" and facts["dtype"] == "float32"
    assert facts["revision"].startswith("folder ") and "VGGT" in facts["encoder_licence"]
    assert model.count_text("abc") == 3


def test_many_chats_are_answered_as_alone_and_failures_stand_in_their_place(saved: Path) -> None:
    model = GeometryChat(GeometryConfig(path=str(saved / "model"), device="cpu"))
    broken = [Message("user", [Picture(b"no picture", "image/png", 1, 1, "x"), "?"])]
    chats = [messages("One?"), messages("Another, longer?"), broken, [Message("user", ["text"])], messages("x", 3, 5)]
    how = Generation(max_tokens=5)
    alone = [model.complete(c, how) for c in chats if c is not broken]
    together = model.complete_many(chats, how)
    assert isinstance(together[2], ChatError) and together[:2] + together[3:] == alone
    assert model.complete_many(chats[:2], how) == alone[:2]
    assert model.complete_many([], how) == []
    many = model.complete_many([messages("?", 40)], how)
    assert isinstance(many[0], ChatError) and "the model takes 400" in str(many[0])


def test_a_control_can_take_the_encoders_place(saved: Path) -> None:
    config = GeometryConfig(path=str(saved / "model"), device="cpu", encoder=f"zeros:vggt:{saved / 'vggt'}")
    model = GeometryChat(config)
    assert model.facts()["encoder"].startswith("zeros:")
    assert model.complete(messages("?"), Generation(max_tokens=2)).usage["completion_tokens"] >= 1


def test_the_folder_of_a_training_run_means_its_model(tmp_path: Path, saved: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.json").write_text("{}")
    with pytest.raises(ChatError, match="has not finished"):
        GeometryChat(GeometryConfig(path=str(run), device="cpu"))
    (run / "model").symlink_to(saved / "model")
    model = GeometryChat(GeometryConfig(path=str(run), device="cpu"))
    alone = GeometryChat(GeometryConfig(path=str(saved / "model"), device="cpu"))
    assert model.facts()["revision"] == alone.facts()["revision"] and model.name == f"geometry:{run}"
    how = Generation(max_tokens=3)
    assert model.complete(messages("?"), how).text == alone.complete(messages("?"), how).text


def test_intrinsics_of_a_picture_reach_the_rays(saved: Path) -> None:
    processor = GeometryChat(GeometryConfig(path=str(saved / "model"), device="cpu")).model.processor
    processor.rays = True
    picture = next(part for part in messages("?")[0].content if isinstance(part, Picture))
    with_K = replace(picture, K=(picture.width, picture.width, picture.width / 2, picture.height / 2))

    def rays(picture: Picture) -> Any:
        return processor([[Message("user", [picture, "?"])]], add_generation_prompt=True)["geometry_rays"][0]

    assert not rays(picture).any() and rays(with_K).norm(dim=-1).allclose(torch.ones(()))
    assert clip_key([Message("user", [picture])]) != clip_key([Message("user", [with_K])])


def test_clear_errors(tmp_path: Path, saved: Path) -> None:
    for path in (str(tmp_path / "nothing"), str(tmp_path)):
        with pytest.raises(ChatError, match="cannot load"):
            GeometryChat(GeometryConfig(path=path, device="cpu"))
    with pytest.raises(ChatError, match="save_pretrained alone"):
        GeometryChat(GeometryConfig(path=str(tmp_path), device="cpu", encoder="zeros:vggt"))
    assert parse_model("geometry:a/b").kind == "geometry"
    with pytest.raises(ChatError, match="geometry:PATH"):
        parse_model("geometry:")
