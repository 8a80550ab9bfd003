"""Configurations: what is refused and how, presets, changes, differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from spaceland.errors import TrainingError
from spaceland.training.config import config_table
from spaceland.training.config_file import preset_names, read_config
from spaceland.training.tables import differences

MINIMAL = """
[model]
vlm = "some/model"
[[stages]]
train = ["language_model"]
[[stages.data]]
kind = "rows"
path = "rows"
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return str(path)


def test_defaults_and_types(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, MINIMAL))
    assert config.model.encoder == "own" and config.stages[0].data[0].kind == "rows"
    assert config.stages[0].lr == 1e-5 and config.stages[0].train == ("language_model",)
    changed = read_config(
        written(tmp_path, MINIMAL), ["stages.0.lr=1", "model.encoder=zeros:vggt", "stages.0.data.0.weight=0.5"]
    )
    assert changed.stages[0].lr == 1.0 and isinstance(changed.stages[0].lr, float)
    assert changed.model.encoder == "zeros:vggt" and changed.stages[0].data[0].weight == 0.5
    lines = differences(config_table(config), config_table(changed))
    assert lines == [
        "model.encoder: 'own' became 'zeros:vggt'",
        "stages[0].data[0].weight: 1.0 became 0.5",
        "stages[0].lr: 1e-05 became 1.0",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + "wieght = 2.0\n", r"stages\[0\]\.data\[0\] has no key 'wieght'; did you mean 'weight'"),
        (MINIMAL.replace('rows"\npath', 'row"\npath'), "did you mean 'rows'"),
        (MINIMAL.replace('["language_model"]', '["langage_model"]'), "did you mean 'language_model'"),
        (MINIMAL.replace('["language_model"]', '"language_model"'), "should be a list"),
        (MINIMAL.replace('vlm = "some/model"', "vlm = 3"), "should be a text, found 3"),
        (MINIMAL.replace('vlm = "some/model"', ""), "lacks vlm"),
        (MINIMAL.replace('["language_model"]', '["adapter"]'), "there is no encoder"),
        (MINIMAL.replace("[[stages]]", "[[stages]]\nbatch = true"), "should be a whole number, found True"),
        ("keep = 1\n" + MINIMAL, "keep must be at least 2"),
        ("log_every = 3\nsave_every = 10\n" + MINIMAL, "multiple of log_every"),
        (MINIMAL.replace("[[stages]]", "[[stages]]\nname = '../up'"), "names of folders"),
        (MINIMAL + "name = 'a/b'\n", "names of folders"),
        (MINIMAL + "[fsdp]\ncpu_ram_efficient_loading = true", "without weights on most"),
        (MINIMAL.replace("some/model", "vgllm:some/model") + "[model.grid]\npreset = 'native'", "come with vgllm:"),
        (MINIMAL + "[[stages]]\ntrain = ['merger']\ndata = []\n", "different names"),
        ("not toml", "not valid TOML"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        read_config(written(tmp_path, text))


def test_unknown_preset_and_places(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="presets are free, gpt4scene"):
        read_config("vgllm")
    for change in ("stages.4.lr=1", "lr", "stages.x.lr=1"):
        with pytest.raises(TrainingError, match="--set"):
            read_config(written(tmp_path, MINIMAL), [change])


def test_extends_keeps_the_rest(tmp_path: Path) -> None:
    text = 'extends = "vgllm-4b"\nseed = 3\n[model]\nencoder = "none"\nadapter = {}\n[[stages]]\ntrain = ["merger"]\n'
    config = read_config(written(tmp_path, text + '[[stages.data]]\nkind = "rows"\npath = "r"'))
    assert config.model.vlm == "Qwen/Qwen2.5-VL-3B-Instruct" and config.seed == 3
    assert len(config.stages) == 1 and config.stages[0].train == ("merger",)


def test_presets_say_what_the_recipes_say() -> None:
    assert {"tiny", "free", "vgllm-4b", "vgllm-8b", "spar-mix", "gpt4scene", "single-gpu"} <= set(preset_names())
    small = read_config("vgllm-4b")
    stage = small.stages[0]
    # Recipe of the paper's third version: batch 64, 1e-5, cosine, warmup 0.03, weight decay 0.01, 12,800 tokens.
    assert (stage.batch, stage.lr, stage.schedule, stage.warmup, stage.weight_decay, stage.max_tokens) == (
        64, 1e-5, "cosine", 0.03, 0.01, 12800,
    )  # fmt: skip
    assert stage.train == ("language_model", "adapter") and stage.one_kind_per_batch
    assert {data.group for data in stage.data} == {"2d", "3d"} and small.model.adapter["layers"] == [22]
    assert read_config("vgllm-8b").model.vlm.endswith("7B-Instruct")
    scene = read_config("gpt4scene").stages[0]
    assert (scene.lr, scene.batch, scene.warmup, scene.train) == (5e-6, 64, 0.1, ("language_model",))
    assert read_config("vgllm-3d").model.rotation == "ZXY"
    assert len(read_config("spar-mix").stages) == 2 and read_config("single-gpu").model.cache_features
    for name in preset_names():
        assert read_config(name).about
