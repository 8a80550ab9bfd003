"""Depth Anything 3 against the authors' package, and what must hold of it whatever the weights are.

`golden_da3.json` holds numbers that the package depth-anything-3 0.1.1 (Apache-2.0) gave on the weights and frames of
`da3_weights`: every parameter set by `weight(name, shape)`, frames normalised by ImageNet's mean and deviation, in
float32 on one thread; every n-th number of its outputs. On weights of chance at the sizes of Small and Base our outputs
differed from its by at most 4e-6 of the largest value.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

from da3_weights import BASE_LIKE, GIANT_LIKE, frames, released, write

from spaceland.errors import EncoderError
from spaceland.models.encoders.da3 import Da3, open_da3, save_da3
from spaceland.models.encoders.da3_config import RELEASED, Da3Config, config_of_shapes, licence_of
from spaceland.models.encoders.da3_heads import points_of_rays
from spaceland.models.encoders.da3_vit import reference_first
from spaceland.models.encoders.open_encoder import open_encoder

GOLDEN = json.loads((Path(__file__).parent / "golden_da3.json").read_text())
SCALARS = {  # tensors and numbers of backbone, dense head and camera decoder, counted in the authors' package
    "da3-small": (379, 22_059_008 + 3_874_046 + 1_188_105),
    "da3-base": (379, 86_583_296 + 15_387_774 + 4_735_497),
    "da3-large": (579, 304_373_760 + 47_229_438 + 8_411_145),
    "da3-giant": (847, 1_136_489_216 + 50_115_070 + 18_908_169),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Both small networks on disk, as released."""
    folder = tmp_path_factory.mktemp("da3")
    configs = {"base_like": BASE_LIKE, "giant_like": GIANT_LIKE}
    return {name: write(released(config), folder / name) for name, config in configs.items()}


@pytest.fixture(scope="module")
def small(files: dict[str, str]) -> Da3:
    return open_da3("da3", files["base_like"], heads=True)


def close(ours: torch.Tensor, golden: list[float], every: int, tolerance: float = 1e-5) -> bool:
    theirs = torch.tensor(golden)
    return float((ours.flatten()[::every] - theirs).abs().max()) <= tolerance * float(theirs.abs().max())


@pytest.mark.parametrize(("name", "config"), [("base_like", BASE_LIKE), ("giant_like", GIANT_LIKE)])
def test_the_same_numbers_as_the_authors_package(files: dict[str, str], name: str, config: Da3Config) -> None:
    golden = GOLDEN[name]
    model = open_da3("da3", files[name], heads=True, rays=True)
    assert model.config == config and model.spec.heads == {"pose", "depth", "points"}
    clip = frames(golden["frames"])
    features = model.encode(clip, config.head_layers)
    for layer, tokens in features.tokens.items():
        assert tokens.shape == (golden["frames"], 3, 5, 64) and close(tokens, golden["tokens"][str(layer)], 101)
    assert features.camera is not None and close(features.camera, golden["camera"], 7)
    said = model.predict(clip)
    assert said.depth is not None and said.depth_confidence is not None and said.points is not None
    assert close(torch.linalg.inv(said.T_world_cam)[:, :3], golden["extrinsics"], 1)
    assert close(said.K, golden["intrinsics"], 1)
    assert close(said.depth, golden["depth"], 397) and close(said.depth_confidence, golden["depth_confidence"], 397)
    # Rays before they are brought to the size of the depth.
    layers = [features.tokens[layer].flatten(1, 2) for layer in config.head_layers]
    rays = model.head._rays(model.head._levels(layers, (3, 5)), (3, 5))
    assert close(rays[:, :6].movedim(1, -1), golden["ray"], 397)
    assert close(1 + rays[:, 6].exp(), golden["ray_confidence"], 97)


def test_points_are_where_the_rays_meet_the_depth() -> None:
    raw = torch.zeros(1, 9, 1, 2)
    raw[0, 0] = torch.tensor([[2.0, 4.0]]).log()  # depth
    raw[0, 2:5, 0] = torch.tensor([[0.5, 0.0], [0.0, -1.0], [1.0, 1.0]])  # directions
    raw[0, 5:8, 0] = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])  # origins
    points, confidence = points_of_rays(raw)
    assert torch.allclose(points[0, 0], torch.tensor([[2.0, 2.0, 5.0], [1.0, -2.0, 7.0]])) and (confidence == 2).all()


@pytest.mark.parametrize("name", list(RELEASED))
def test_the_released_sizes_have_the_released_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        model = Da3(RELEASED[name], rays=True)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    unused = [key for key in shapes if "output_conv1_aux.3" in key or "output_conv2_aux.3" in key]
    count, numbers = SCALARS[name]
    assert len(shapes) + 3 * len(unused) == count
    own = sum(v.numel() for k, v in model.state_dict().items())
    # Three coarser levels of the rays have the same shapes; the norm is one for all, but counted by name.
    assert own + 3 * sum(model.state_dict()[key].numel() for key in unused) == numbers
    assert config_of_shapes(shapes) == RELEASED[name]
    spec = model.spec
    assert (spec.dim, spec.reference, spec.metric) == (2 * RELEASED[name].vit.dim, "auto", False)


def test_frames_in_another_order_are_the_same_tokens_as_the_model_picks_the_reference(small: Da3) -> None:
    clip, order = frames(4), torch.tensor([2, 0, 3, 1])
    plain, turned = small.encode(clip, [2, 3, 5, 11]), small.encode(clip[order], [2, 3, 5, 11])
    for layer, tokens in plain.tokens.items():
        assert torch.allclose(tokens[order], turned.tokens[layer], atol=1e-5)
    assert plain.camera is not None and turned.camera is not None
    assert torch.allclose(plain.camera[order], turned.camera, atol=1e-5)
    # Of two frames the first is the reference: swapped, they are others.
    pair, swapped = small.encode(clip[:2]), small.encode(clip[:2].flip(0))
    assert not torch.allclose(pair.tokens[11].flip(0), swapped.tokens[11], atol=1e-2)


def test_the_reference_is_in_the_middle_of_three_measures() -> None:
    tokens = torch.from_numpy(frames(6, 1, 12).numpy().reshape(6, 36)).flip(0) - 0.4
    unit = [t / t.norm() for t in tokens]
    others = [sum(float(a @ b) for j, b in enumerate(unit) if j != i) / 5 for i, a in enumerate(unit)]
    measures = [others, [float(t.norm()) for t in tokens], [float(u.var()) for u in unit]]
    scores = [
        sum(abs((m[i] - min(m)) / (max(m) - min(m)) - 0.5) for m in measures)  # 0: in the middle of all
        for i in range(6)
    ]
    best = scores.index(min(scores))
    order = reference_first(tokens).tolist()
    assert order == [best, *(i for i in range(6) if i != best)] and best != 0


def test_nothing_deeper_than_asked_is_run_or_loaded(files: dict[str, str], small: Da3) -> None:
    clip = frames(3)
    ran: list[int] = []
    hooks = [
        block.register_forward_pre_hook(lambda *_, k=k: ran.append(k))
        for k, block in enumerate(small.backbone["pretrained"].blocks)
    ]
    early = small.encode(clip, [6])
    for hook in hooks:
        hook.remove()
    assert set(ran) == set(range(7))
    full = small.encode(clip, [6, 11])
    assert torch.equal(early.tokens[6], full.tokens[6])
    shallow = open_da3("da3", files["base_like"], layers=[6])
    assert len(shallow.backbone["pretrained"].blocks) == 7 and not shallow.spec.heads
    assert torch.equal(shallow.encode(clip, [6]).tokens[6], early.tokens[6])
    with pytest.raises(EncoderError, match=r"layer 11 .* was not loaded"):
        shallow.encode(clip, [11])
    with pytest.raises(EncoderError, match="opened without its heads"):
        shallow.predict(clip)


def test_frames_in_chunks_are_the_same(small: Da3) -> None:
    clip = frames(5)
    with torch.no_grad():
        whole, parts = (small(clip, [11], frames_at_once=n)[11][1] for n in (5, 2))
    assert torch.allclose(whole, parts, atol=1e-6)


def test_sixteen_bits_are_close_and_the_heads_keep_their_own(files: dict[str, str], small: Da3) -> None:
    coarse = open_da3("da3", files["base_like"], dtype=torch.bfloat16, heads=True)
    assert coarse.cam_dec.fc_t.weight.dtype == coarse.head.norm.weight.dtype == torch.float32
    clip = frames(2)  # with two frames rounding cannot pick another reference
    exact, rough = small.encode(clip).tokens[11], coarse.encode(clip).tokens[11]
    assert rough.dtype == torch.bfloat16
    assert float((rough.float() - exact).norm() / exact.norm()) < 0.05
    a, b = small.predict(clip), coarse.predict(clip)
    assert a.depth is not None and b.depth is not None and b.depth.dtype == torch.float32
    assert torch.allclose(a.depth, b.depth, rtol=0.1) and torch.allclose(a.K, b.K, rtol=0.1)
    R = b.T_world_cam[:, :3, :3]
    assert torch.allclose(R @ R.mT, torch.eye(3).expand_as(R), atol=1e-5)


def test_weights_of_other_layouts(files: dict[str, str], small: Da3, tmp_path: Path) -> None:
    # The any-view half of the nested model.
    tensors = released(BASE_LIKE)
    nested = {name.replace("model.", "model.da3.", 1): value for name, value in tensors.items()}
    nested |= {"model.da3_metric.backbone.pretrained.cls_token": torch.zeros(1, 1, 32)}
    again = open_da3("da3", write(nested, tmp_path / "nested"))
    assert torch.equal(again.encode(frames(2)).tokens[11], small.encode(frames(2)).tokens[11])
    # What we write ourselves; and weights without heads.
    save_da3(open_da3("da3", files["base_like"], heads=True, rays=True), tmp_path / "saved")
    saved = open_da3("da3", str(tmp_path / "saved"), heads=True, rays=True)
    assert torch.equal(saved.predict(frames(2)).depth, small.predict(frames(2)).depth)  # type: ignore[arg-type]
    bare = write(released(BASE_LIKE, heads=False), tmp_path / "bare")
    assert not open_da3("da3", bare).spec.heads
    with pytest.raises(EncoderError, match="have no heads"):
        open_da3("da3", bare, heads=True)


def test_weights_that_do_not_fit_are_refused(files: dict[str, str], tmp_path: Path) -> None:
    tensors = released(BASE_LIKE)
    one_picture = {name: value for name, value in tensors.items() if "camera_token" not in name}
    with pytest.raises(EncoderError, match="no any-view model of Depth Anything 3"):
        open_da3("da3", write(one_picture, tmp_path / "metric"))
    less = {name: value for name, value in tensors.items() if not name.endswith("blocks.3.ls1.gamma")}
    with pytest.raises(EncoderError, match=r"lacks 1 tensors .*blocks\.3\.ls1\.gamma"):
        open_da3("da3", write(less, tmp_path / "less"))
    with pytest.raises(EncoderError, match="of other names"):
        open_da3("da3", write(tensors | {"model.decoder.weight": torch.zeros(1)}, tmp_path / "more"))
    with pytest.raises(EncoderError, match="no weights whose names begin"):
        open_da3("da3", write({"model.something": torch.zeros(1)}, tmp_path / "other"))
    with pytest.raises(EncoderError, match="expected da3-base; use da3:"):
        open_da3("da3-base", files["base_like"])
    with pytest.raises(EncoderError, match="da3-base needs weights"):
        open_da3("da3-base", None)


def test_frames_that_cannot_be_taken_are_refused(small: Da3) -> None:
    with pytest.raises(EncoderError, match="multiples of 14"):
        small.encode(torch.zeros(1, 3, 28, 30))
    with pytest.raises(EncoderError, match="layers 0 to 11"):
        small.encode(frames(1), [12])


def test_licences_are_those_of_the_sizes() -> None:
    assert licence_of("depth-anything/DA3-BASE", "da3-base") == ("Apache-2.0", True)
    assert licence_of("depth-anything/DA3-LARGE-1.1", "da3-large")[1] is False
    assert licence_of("/weights/mine", "da3-giant")[1] is False
    words, commercial = licence_of("/weights/mine", "da3-small")
    assert words == "Apache-2.0 if it is DA3-SMALL as released" and commercial is None
    assert licence_of("/weights/mine", "da3")[1] is None


def test_open_by_text(files: dict[str, str], small: Da3) -> None:
    opened = open_encoder(f"da3:{files['base_like']}", heads=True)
    assert isinstance(opened, Da3) and opened.spec == replace(small.spec, name=opened.spec.name)
    assert not any(parameter.requires_grad for parameter in opened.parameters())
    zeros = open_encoder(f"zeros:da3:{files['base_like']}")
    chance = open_encoder(f"random:da3:{files['base_like']}", seed=3)
    again = open_encoder(f"random:da3:{files['base_like']}", seed=3)
    assert zeros is not None and chance is not None and again is not None
    assert zeros.encode(frames(2)).tokens[11].shape == chance.encode(frames(2)).tokens[11].shape == (2, 3, 5, 64)
    assert torch.equal(chance.encode(frames(2)).tokens[11], again.encode(frames(2)).tokens[11])
    with pytest.raises(EncoderError, match="needs weights"):
        open_encoder("random:da3")
