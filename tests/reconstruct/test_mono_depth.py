"""Depth models: real loading and preparation on tiny random models, and alignment to the points with a known answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import ReconstructionError
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.depth_models import DepthModel, Preparation, load_depth_model, weights_announcement
from spaceland.reconstruct.mono_depth import MonoDepthConfig, MonoDepthEstimator, densify_with
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, SparsePoints

torch = pytest.importorskip("torch", reason="depth models need torch (extra model)")
transformers = pytest.importorskip("transformers", reason="depth models need transformers (extra model)")

CAMERA = PinholeCamera(160, 120, 140.0, 140.0, 80.0, 60.0)


def _backbone(image_size: int, patch_size: int, **more: object) -> object:
    return transformers.Dinov2Config(
        image_size=image_size,
        patch_size=patch_size,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        **more,
    )


def _save_depth_anything(folder: Path, kind: str) -> str:
    torch.manual_seed(0)
    config = transformers.DepthAnythingConfig(
        backbone_config=_backbone(28, 14, out_indices=[1, 2, 3, 4], reshape_hidden_states=False, apply_layernorm=True),
        patch_size=14,
        reassemble_hidden_size=16,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    size = {"height": 56, "width": 56}
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": size, "keep_aspect_ratio": True}))
    return str(folder)


def _save_depth_pro(folder: Path) -> str:
    torch.manual_seed(0)
    encoders = {name: _backbone(16, 8) for name in ("image_model_config", "patch_model_config", "fov_model_config")}
    config = transformers.DepthProConfig(
        patch_size=16,
        fusion_hidden_size=8,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[12, 12],
        merge_padding_value=0,
        use_fov_model=False,
        **encoders,
    )
    transformers.DepthProForDepthEstimation(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("models")
    return {
        "metric": _save_depth_anything(root / "metric", "metric"),
        "relative": _save_depth_anything(root / "relative", "relative"),
        "depth_pro": _save_depth_pro(root / "depth_pro"),
    }


def _color(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (CAMERA.height, CAMERA.width, 3), np.uint8)


def _images(n: int) -> list[CaptureImage]:
    return [CaptureImage(str(k), k, CAMERA.width, CAMERA.height, lambda k=k: _color(k)) for k in range(n)]


def _estimate(depths: list[np.ndarray], num_points: int = 80) -> Estimate:
    """Views at the world's origin whose sparse points lie on the given depth maps (at the camera's size)."""
    rng = np.random.default_rng(0)
    views, xyz, numbers, pixels = [], [], [], []
    for k, depth in enumerate(depths):
        views.append(EstimatedView(str(k), CAMERA, np.eye(4)))
        uv = np.stack([rng.integers(0, CAMERA.width, num_points), rng.integers(0, CAMERA.height, num_points)], -1)
        z = depth[uv[:, 1], uv[:, 0]]
        pixels.append(uv + 0.5)
        xyz.append(CAMERA.unproject(uv + 0.5, z))
        numbers.append(np.full(num_points, k))
    count = sum(map(len, xyz))
    points = SparsePoints(
        np.concatenate(xyz),
        np.zeros((count, 3), np.uint8),
        np.concatenate(numbers),
        np.arange(count),
        np.concatenate(pixels).astype(float),
    )
    return Estimate(tuple(views), points, False, "unknown")


class _Table:
    """Stands in for a network of a loaded model: `predict` answers from a list, picture by picture."""

    def __init__(self, answers: list[np.ndarray], kind: str) -> None:
        self.answers, self.kind, self.metric = list(answers), kind, kind == "depth"
        self.model_id = "table"

    def predict(self, color: np.ndarray, camera: PinholeCamera, width: int, height: int) -> np.ndarray:
        assert (width, height) == (CAMERA.width, CAMERA.height)
        return self.answers.pop(0)


def _surface(seed: int) -> np.ndarray:
    u, v = np.meshgrid(np.linspace(0, 1, CAMERA.width), np.linspace(0, 1, CAMERA.height))
    return 1.5 + u + 0.7 * np.sin(3 * v + seed)


def test_metric_model_is_scaled_to_the_points_view_by_view() -> None:
    depths = [_surface(k) for k in range(3)]
    factors = (0.5, 0.8, 1.3)
    model = _Table([d / f for d, f in zip(depths, factors, strict=True)], "depth")
    out = densify_with(model, MonoDepthConfig(width_px=160), _estimate(depths), _images(3))
    for view, true in zip(out.views, depths, strict=True):
        np.testing.assert_allclose(view.depth, true, rtol=1e-5)
        assert view.confidence is not None and view.confidence.min() > 0.8
    assert out.report["depth"]["units_per_metre"] == pytest.approx(0.8, rel=1e-5)


def test_relative_model_gets_scale_and_shift_of_its_inverse_depth() -> None:
    depths = [_surface(k) for k in range(2)]
    model = _Table([(1 / d - 0.05) * 40 for d in depths], "inverse")
    out = densify_with(model, MonoDepthConfig(width_px=160), _estimate(depths), _images(2))
    for view, true in zip(out.views, depths, strict=True):
        np.testing.assert_allclose(view.depth, true, rtol=1e-4)
    assert "units_per_metre" not in out.report["depth"]


def test_confidence_falls_where_the_points_do_not_fit() -> None:
    true = _surface(0)
    wrong = true.copy()
    wrong[:, :40] *= 2
    out = densify_with(_Table([wrong], "depth"), MonoDepthConfig(width_px=160), _estimate([true]), _images(1))
    confidence = out.views[0].confidence
    assert confidence is not None
    assert confidence[:, :25].mean() < 0.5 * confidence[:, 80:].mean()


@pytest.mark.parametrize("kind", ["depth", "inverse"])
def test_a_view_that_does_not_fit_is_counted(kind: str) -> None:
    depths = [_surface(k) for k in range(3)]
    noise = np.exp(np.random.default_rng(0).uniform(-3, 3, depths[0].shape))
    answers = [d if kind == "depth" else 1 / d for d in depths[:2]] + [noise]
    out = densify_with(_Table(answers, kind), MonoDepthConfig(width_px=160), _estimate(depths), _images(3))
    report = out.report["depth"]
    assert report["views_fitted"] == 2
    if kind == "depth":
        assert report["views_with_the_common_scale"] == 1
        assert out.views[2].confidence is not None and out.views[2].confidence.max() <= 0.5
    else:
        assert report["views_without_depth"] == 1
        assert out.views[2].depth is None


def test_no_view_fits() -> None:
    with pytest.raises(ReconstructionError, match=r"fits the sparse points of none of 1 views .*0 usable pairs"):
        densify_with(
            _Table([_surface(0)], "depth"), MonoDepthConfig(width_px=160), _estimate([_surface(0)], 0), _images(1)
        )


@pytest.mark.parametrize(
    ("name", "family", "kind", "size"),
    [
        ("metric", "depth_anything", "depth", (70, 56)),
        ("relative", "depth_anything", "inverse", (70, 56)),
        ("depth_pro", "depth_pro", "depth", (32, 32)),
    ],
)
def test_tiny_models_load_and_predict(
    folders: dict[str, str], name: str, family: str, kind: str, size: tuple[int, int]
) -> None:
    model = load_depth_model(folders[name])
    assert isinstance(model, DepthModel)
    assert (model.family, model.kind) == (family, kind)
    assert model.preparation.size_of(CAMERA.width, CAMERA.height) == size
    found = model.predict(_color(0), CAMERA, 80, 60)
    assert found.shape == (60, 80)
    assert np.isfinite(found).all()
    if kind == "depth":
        assert found.min() >= 0
    np.testing.assert_array_equal(found, model.predict(_color(0), CAMERA, 80, 60))


def test_depth_pro_uses_the_focal_length_of_the_view(folders: dict[str, str]) -> None:
    model = load_depth_model(folders["depth_pro"])
    near, far = (model.predict(_color(0), PinholeCamera(160, 120, f, f, 80, 60), 80, 60) for f in (100.0, 200.0))
    free = (near > 1.1e-4) & (far < 0.9e4) & (near < 0.9e4)
    assert free.any()
    np.testing.assert_allclose(far[free], 2 * near[free], rtol=1e-4)


def test_estimator_end_to_end_on_a_tiny_model(folders: dict[str, str]) -> None:
    """The points lie on the model's own prediction times 3: the alignment must find the 3."""
    model = load_depth_model(folders["metric"])
    raw = [model.predict(_color(k), CAMERA, CAMERA.width, CAMERA.height) for k in range(2)]
    estimate = _estimate([3 * depth for depth in raw])
    steps = []
    estimator = MonoDepthEstimator(folders["metric"], MonoDepthConfig(width_px=160))
    out = estimator.densify(estimate, _images(2), lambda n, note: steps.append((n, note)))
    for view, depth in zip(out.views, raw, strict=True):
        assert view.depth_camera == CAMERA
        np.testing.assert_allclose(view.depth, 3 * depth, rtol=1e-3)
    assert steps == [(1, "0"), (1, "1")]


def test_preparation_follows_the_families() -> None:
    pro = Preparation(1536, 1536, (0.5,) * 3, (0.5,) * 3, False, 1)
    assert pro.size_of(640, 480) == (1536, 1536)
    white = Preparation(4, 4, (0.5,) * 3, (0.5,) * 3, False, 1).pixel_values(np.full((8, 8, 3), 255, np.uint8))
    assert white.shape == (3, 4, 4)
    np.testing.assert_allclose(white, 1.0)


def test_unknown_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReconstructionError, match="could not be loaded"):
        load_depth_model(str(tmp_path))
    transformers.BertConfig(hidden_size=8, num_attention_heads=2).save_pretrained(tmp_path)
    with pytest.raises(ReconstructionError, match="family 'bert', expected one of depth_pro, depth_anything"):
        load_depth_model(str(tmp_path))


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    folder = _save_depth_anything(tmp_path, "metric")
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ReconstructionError, match="weights of depth model"):
        load_depth_model(folder)


def test_licence_is_named_before_a_download(tmp_path: Path) -> None:
    known = weights_announcement("apple/DepthPro-hf")
    assert known is not None and "research only" in known and "huggingface.co/apple/DepthPro-hf" in known
    other = weights_announcement("somebody/some-depth")
    assert other is not None and "not known here" in other
    assert weights_announcement(str(tmp_path)) is None


def test_torchvision_is_never_imported(folders: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """None in `sys.modules` makes every import of it fail."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    for folder in folders.values():
        load_depth_model(folder).predict(_color(0), CAMERA, 40, 30)
