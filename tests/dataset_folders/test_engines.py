"""Shards and clusters: whoever stages the scenes, the dataset has the same bytes."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest

from spaceland.cli import run
from spaceland.commands.generate import parse_shard
from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.engines import ray_engine
from spaceland.datasets.generate import generate, list_jobs, shard_of
from spaceland.errors import DependencyError, SourceError

CONFIG = GenerateConfig(tasks=("depth_prediction_oc", "obj_spatial_relation_oo_mv", "room_size"), per_scene=2)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def whole(source: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole") / "d"
    generate([source], out, CONFIG, workers=1)
    return digests(out)


@pytest.mark.heavy
def test_shards_together_are_the_whole(source: str, whole: dict[str, str], tmp_path: Path) -> None:
    for part in (2, 1):
        result = generate([source], tmp_path / "d", CONFIG, workers=1, shard=(part, 2))
        assert result.info is None
        assert not (tmp_path / "d" / "rows.jsonl").exists()
    assert (result.num_staged, result.num_scenes) == (3, 3)
    joined = generate([source], tmp_path / "d", CONFIG, workers=1)
    assert joined.num_reused == 3
    assert digests(tmp_path / "d") == whole


def test_every_scene_is_in_one_shard() -> None:
    jobs = list_jobs(["rooms:1-20"], Path("d"), CONFIG, None)
    for count in (1, 3, 7, 20, 30):
        parts = [shard_of(jobs, k, count) for k in range(1, count + 1)]
        assert sorted(job.scene_id for part in parts for job in part) == sorted(job.scene_id for job in jobs)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("wrong", ["3", "0/2", "3/2", "a/b", "-1/2"])
def test_impossible_shards_are_refused(wrong: str) -> None:
    with pytest.raises(SourceError, match="shard"):
        shard_of([], *parse_shard(wrong))


def test_command_says_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "rooms:1-2?width=160&height=120&frames=32"
    command = ["generate", spec, "--out", str(tmp_path / "d"), "--tasks", "room_size", "--workers", "1", "--no-cache"]
    assert run([*command, "--shard", "2/2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 scenes are staged" in said
    assert "without --shard" in said


def test_missing_ray_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'spaceland\[ray\]'"):
        ray_engine()


@pytest.mark.heavy
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'spaceland[ray]'")
def test_a_cluster_that_loses_a_machine_makes_the_same_bytes(
    source: str, whole: dict[str, str], tmp_path: Path
) -> None:
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    lost = []

    def progress(count: int, note: str) -> None:
        if not lost:
            lost.append(note)
            cluster.remove_node(second, allow_graceful=False)

    try:
        cluster.wait_for_nodes()
        result = generate([source], tmp_path / "d", CONFIG, engine=ray_engine(cluster.address), progress=progress)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert result.failures == {}
    assert lost
    assert digests(tmp_path / "d") == whole
