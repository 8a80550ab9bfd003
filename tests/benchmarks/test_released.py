"""Rows in the layouts in which benchmarks are released: from folders, from the hub's cache, from a hub over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hub_server import serving_hub
from released_layouts import (
    COMMIT,
    WRITERS,
    as_cached,
    lay_out,
    lay_out_vg_llm_captions,
    png,
    write_json,
    write_zip,
)

from spaceland.benchmarks import find_benchmark, score_benchmark
from spaceland.benchmarks.known import KNOWN, ScoreError
from spaceland.benchmarks.released import open_rows
from spaceland.benchmarks.released.opening import choose
from spaceland.benchmarks.released.table import RELEASED
from spaceland.benchmarks.released.tables import StoredPicture
from spaceland.benchmarks.score import prepare_rows
from spaceland.errors import OutputError, SceneError
from spaceland.evaluation.media import MediaFinder
from spaceland.evaluation.plan import make_plan
from spaceland.evaluation.released_media import bring_media, match_paths

RowsOf = Callable[[str], ModuleType]
REAL = {
    "scanqa": "ScanQA_v1.0_val.json",
    "openeqa": "openeqa_v0.json",
    "vsibench": "vsibench/questions_scannet.json",
}
HOSTED = [name for name in KNOWN if RELEASED[name].repo]
WITH_PICTURES = {
    "sparbench": 2, "cvbench": 1, "blink": 1, "mmsi": 3, "3dsrbench": 1, "embspatial": 1, "viewspatial": 1,
    "mindcube": 2, "site": 2,
}  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of huggingface_hub that is all there is: offline."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra hub")
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


def rows_for(benchmark: str, rows_of: RowsOf, num: int = 28) -> list[dict[str, Any]]:
    rows = rows_of(benchmark).make_rows(num, 5)
    return [{**row, "pruned": row["id"] % 3 == 0} for row in rows] if benchmark == "vsibench" else rows


def usable(benchmark: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Released rows with what is given beside them."""
    return [{**row, "opponent": "a zebra"} for row in rows] if benchmark == "gptscore" else rows


def test_every_benchmark_is_known(benchmark: str) -> None:
    released = RELEASED[benchmark]
    assert set(RELEASED) == set(KNOWN) == set(WRITERS)
    assert released.where.startswith(("http", "ScanRefer"))
    patterns = [pattern for group in (released.files, *released.parts.values()) for one in group for pattern in one]
    assert patterns and all(pattern == pattern.strip() and pattern for pattern in patterns)


def test_released_folders_give_the_rows(benchmark: str, rows_of: RowsOf, tmp_path: Path) -> None:
    rows = rows_for(benchmark, rows_of)
    lay_out(benchmark, rows, tmp_path / "clone")
    opened = open_rows(benchmark, [str(tmp_path / "clone")])
    assert len(opened.rows) == opened.source["rows"] == len(rows)
    assert f"{len(rows)} rows" in opened.counted
    assert all(len(file["sha256"]) == 64 for file in opened.source["files"])
    chosen, module = find_benchmark(benchmark), rows_of(benchmark)
    found = usable(benchmark, opened.rows)
    prepared = prepare_rows(chosen, found)
    given = prepare_rows(chosen, rows)
    if benchmark not in ("viewspatial", "site"):  # their ids are hashes of fields, paths of pictures among them
        assert set(prepared) == set(given)
    gold = [module.gold(row) for row in rows]
    by_question = {_key(row): reply for row, reply in zip(rows, gold, strict=True)}
    replies = {row_id: by_question[_key(row)] for row_id, row in zip(prepared, found, strict=True)}
    overall = score_benchmark(benchmark, found, replies, resamples=0).overall
    expected = score_benchmark(benchmark, rows, dict(zip(given, gold, strict=True)), resamples=0).overall
    assert overall == pytest.approx(expected)
    if benchmark in WITH_PICTURES:
        assert max(_pictures(row) for row in found) >= WITH_PICTURES[benchmark]


def _key(row: dict[str, Any]) -> str:
    """What tells a generated row apart, whatever its layout."""
    for name in ("question_id", "ann_id", "object_id", "idx", "index", "id"):
        if row.get(name) is not None:
            return f"{row.get('scene_id')}|{row.get('object_name')}|{row[name]}" if name != "ann_id" else (
                f"{row.get('scene_id')}|{row.get('object_id')}|{row['ann_id']}"
            )  # fmt: skip
    return str(row.get("question") or row.get("Question") or row.get("images") or row["scene_id"])


def _pictures(row: dict[str, Any]) -> int:
    return sum(
        len(value) if isinstance(value, list) else 1
        for key, value in row.items()
        if key.startswith("image") and value is not None
    )


@pytest.mark.parametrize("name", HOSTED)
def test_the_cache_of_the_hub_gives_the_same_rows(name: str, rows_of: RowsOf, cache: Path, tmp_path: Path) -> None:
    lay_out(name, rows_for(name, rows_of), tmp_path / "clone")
    repo = str(RELEASED[name].repo)
    as_cached(tmp_path / "clone", repo, cache)
    opened = open_rows(name, ["hf:"])
    here = open_rows(name, [str(tmp_path / "clone")])
    assert _plain(opened.rows) == _plain(here.rows)
    assert (opened.source["repo"], opened.source["revision"]) == (repo, COMMIT)
    assert opened.source["licence"] == "cc-by-4.0" and opened.source["files"]
    again = open_rows(name, [f"hf:{repo}@main"])
    assert _plain(again.rows) == _plain(opened.rows)


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without where their pictures lie."""

    def one(value: Any) -> Any:
        if isinstance(value, StoredPicture):
            return value.read()
        return [one(part) for part in value] if isinstance(value, list) else value

    return [{key: one(value) for key, value in row.items()} for row in rows]


def test_vg_llm_rows_of_scan2cap_are_asked_and_scored(rows_of: RowsOf, cache: Path, tmp_path: Path) -> None:
    rows = rows_for("scan2cap", rows_of)
    lay_out_vg_llm_captions(rows, tmp_path / "clone")
    as_cached(tmp_path / "clone", "zd11024/VG-LLM-Data", cache)
    opened = open_rows("scan2cap", ["hf:"])
    assert opened.source["files"] == ["evaluation/scan2cap/scan2cap_val_32frames.json"]
    prepared = prepare_rows(find_benchmark("scan2cap"), opened.rows)
    assert list(prepared) == [f"{row['scene_id']}|{row['object_id']}|" for row in rows]
    folder = tmp_path / "media"
    for name in {name for row in opened.rows for name in row["images"]}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(len(name)))
    for protocol in ("vg-llm", "official"):
        items = {item.id: item for item in make_plan("scan2cap", opened.rows, folder, protocol=protocol).items}
        for row_id, row in zip(prepared, rows, strict=True):
            x, y, z = row["center_camera"]
            assert items[row_id].prompt == (
                f"\nCarefully watch the video and describe the object located at [{x}, {y}, {z}] in detail."
            )
            assert items[row_id].media is not None and len(items[row_id].media.sources) == 2
    gold = {row_id: row["descriptions"][0] for row_id, row in zip(prepared, rows, strict=True)}
    given = dict(zip(prepare_rows(find_benchmark("scan2cap"), rows), gold.values(), strict=True))
    for protocol in find_benchmark("scan2cap").protocols:
        here = score_benchmark("scan2cap", opened.rows, gold, protocol.name, resamples=0)
        assert here.groups == pytest.approx(score_benchmark("scan2cap", rows, given, protocol.name, resamples=0).groups)


def test_a_hub_over_http_is_asked_for_what_is_needed(
    rows_of: RowsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra hub")
    rows = rows_for("vsibench", rows_of)
    lay_out("vsibench", rows, tmp_path / "clone")
    with serving_hub(
        {"nyu-visionx/VSI-Bench": tmp_path / "clone", "a/locked": tmp_path / "clone"}, ("a/locked",)
    ) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        opened = open_rows("vsibench", ["hf:"])
        assert sorted(hub.fetched) == ["pruned_ids.txt", "test.jsonl"]
        said = capsys.readouterr().err
        assert "rows: 2 files of nyu-visionx/VSI-Bench@0123456789ab, " in said and "licence cc-by-4.0" in said
        assert opened.source["revision"] == COMMIT
        assert [row["pruned"] for row in opened.rows] == [row["id"] % 3 == 0 for row in opened.rows]
        assert len(open_rows("vsibench", ["hf:#debiased"]).rows) == sum(not row["pruned"] for row in rows)
        hub.fetched.clear()
        open_rows("vsibench", [f"hf:nyu-visionx/VSI-Bench@{COMMIT}"])
        assert hub.fetched == [] and capsys.readouterr().err.count("rows: ") == 1  # of the part before
        media = bring_media(opened, opened.rows, tmp_path / "media")
        assert hub.fetched == ["scannet.zip"]
        assert (media / "scannet" / f"{rows[0]['scene_name']}.mp4").read_bytes() == rows[0]["scene_name"].encode()
        for source, words in (
            ("hf:nyu-visionx/VSI-Bench@v9", "no revision 'v9'"),
            ("hf:a/locked", "accept"),
            ("hf:nobody/nothing", "could not be had.*check the id"),
            ("hf:nyu-visionx/VSI-Bench#tiny", "no part is called 'tiny'; known are debiased, pruned"),
            ("hf:nyu-visionx/VSI-Bench#data/*.csv", "holds no rows of vsibench"),
        ):
            with pytest.raises(ScoreError, match=words):
                open_rows("vsibench", [source])


def test_without_network_and_cache_one_clear_error(cache: Path) -> None:
    with pytest.raises(
        ScoreError, match=r"could not be had.*is not in its cache; check the network, or give the folder"
    ):
        open_rows("vsibench", ["hf:"])
    for name in set(KNOWN) - set(HOSTED):
        with pytest.raises(ScoreError, match=r"has no data set of its authors.*come from http"):
            open_rows(name, ["hf:"])
    for text in ("hf:../x", "hf:a/b/c", "hf:a", "hf:a b/c"):
        with pytest.raises(ScoreError, match="names no data set"):
            open_rows("vsibench", [text])
    with pytest.raises(ScoreError, match="stands alone"):
        open_rows("vsibench", ["hf:", "x.jsonl"])


def test_half_of_a_data_set_in_the_cache_is_told_by_its_count(rows_of: RowsOf, cache: Path, tmp_path: Path) -> None:
    lay_out("blink", rows_for("blink", rows_of), tmp_path / "clone")
    for folder in ("Counting", "Jigsaw"):
        (tmp_path / "clone" / folder / "val-00000-of-00001.parquet").unlink()
    as_cached(tmp_path / "clone", "BLINK-Benchmark/BLINK", cache)
    opened = open_rows("blink", ["hf:"])
    assert opened.counted == (
        f"{len(opened.rows)} rows; published of BLINK: val 1,901 ({1901 - len(opened.rows):,} fewer here), "
        f"test (answers on EvalAI only) 1,907 ({1907 - len(opened.rows):,} fewer here)."
    )


def test_parts_and_patterns_of_a_folder(rows_of: RowsOf, tmp_path: Path) -> None:
    lay_out("mindcube", rows_for("mindcube", rows_of), tmp_path / "m")
    lay_out("sqa3d", rows_for("sqa3d", rows_of), tmp_path / "s")
    lay_out("embodiedscan-det", rows_for("embodiedscan-det", rows_of), tmp_path / "e")
    lay_out("site", rows_for("site", rows_of), tmp_path / "t")
    assert len(open_rows("mindcube", [f"{tmp_path / 'm'}#tiny"]).rows) == 6
    assert len(open_rows("sqa3d", [f"{tmp_path / 's'}#val"]).rows) == 4
    assert len(open_rows("embodiedscan-det", [f"{tmp_path / 'e'}#6frames"]).rows) == 5
    assert len(open_rows("embodiedscan-det", [f"{tmp_path / 'e'}#train/*4frames*"]).rows) == 2
    videos = open_rows("site", [f"{tmp_path / 't'}#video"]).rows
    assert len(videos) == 14 and all(row["video"] == row["visual"][0] for row in videos)
    with pytest.raises(ScoreError, match=r"a part .* is of a folder"):
        open_rows("mindcube", [f"{tmp_path / 'm' / 'data.zip'}#tiny"])
    with pytest.raises(SceneError, match="missing file"):
        open_rows("mindcube", [str(tmp_path / "nothing.jsonl")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScoreError, match=r"holds no rows of mindcube.*the files come from https"):
        open_rows("mindcube", [str(tmp_path / "empty")])


def test_fields_under_other_names(tmp_path: Path) -> None:
    row = {"id": "around_1", "question": "Q? A. x B. y", "answer": "B", "image_path": ["a.png"], "mine": "A"}
    write_json(tmp_path / "rows.json", [row])
    found = open_rows("mindcube", [str(tmp_path / "rows.json")]).rows[0]
    assert (found["gt_answer"], found["images"], found["answer"]) == ("B", ["a.png"], "B")
    assert open_rows("mindcube", [str(tmp_path / "rows.json")], ["gt_answer=mine"]).rows[0]["gt_answer"] == "A"
    with pytest.raises(ScoreError, match="OURS=THEIRS"):
        open_rows("mindcube", [str(tmp_path / "rows.json")], ["gt_answer"])


def test_all_angles_questions_lose_their_options(rows_of: RowsOf, tmp_path: Path) -> None:
    rows = rows_for("allangles", rows_of)
    lay_out("allangles", rows, tmp_path)
    assert [row["question"] for row in open_rows("allangles", [str(tmp_path)]).rows] == [r["question"] for r in rows]
    write_json(tmp_path / "bare.json", [{**row, "question": "Which one, then?"} for row in rows])
    assert open_rows("allangles", [str(tmp_path / "bare.json")]).rows[0]["question"] == "Which one, then?"


def test_pictures_in_one_cell_of_a_table(tmp_path: Path) -> None:
    import base64

    coded = [base64.b64encode(png(k) + bytes(20_000)).decode() for k in range(2)]
    text = f"index\tquestion\tanswer\timage\n1\tQ? A. x B. y\tA\t{coded!r}\n"
    (tmp_path / "MMSI_Bench.tsv").write_text(text)
    row = open_rows("mmsi", [str(tmp_path)]).rows[0]
    assert row["images"] == coded and row["id"] == "1"
    media = MediaFinder(tmp_path).find(row, row)
    assert len(media.sources) == 2 and media.sources[1] == base64.b64decode(coded[1])


@pytest.mark.parametrize("name", ["vsibench", "mindcube", "viewspatial", "site", "sti", "vstibench", "allangles"])
def test_media_come_out_of_archives_where_rows_name_them(
    name: str, rows_of: RowsOf, cache: Path, tmp_path: Path
) -> None:
    lay_out(name, rows_for(name, rows_of), tmp_path / "clone")
    as_cached(tmp_path / "clone", str(RELEASED[name].repo), cache)
    opened = open_rows(name, ["hf:"])
    rows = opened.rows[1::2] if name == "allangles" else opened.rows  # the others' pictures are not on the hub
    folder = bring_media(opened, rows, tmp_path / "media")
    finder = MediaFinder(folder)
    kinds = {finder.find(row, row).kind for row in rows}
    assert kinds <= {"pictures", "video"} and kinds
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert bring_media(opened, rows, folder) == folder
    assert written == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    # A clone does as well, and one whose media lie in it is its own media folder.
    local = open_rows(name, [str(tmp_path / "clone")])
    assert bring_media(local, rows, tmp_path / "other") == tmp_path / "other"
    assert {p.relative_to(tmp_path / "other") for p in (tmp_path / "other").rglob("*")} == {
        p.relative_to(folder) for p in folder.rglob("*")
    }
    if name == "allangles":
        assert bring_media(local, rows) == tmp_path / "clone"


def test_only_the_archives_of_the_asked_rows_are_opened(rows_of: RowsOf, tmp_path: Path) -> None:
    lay_out("vsibench", rows_for("vsibench", rows_of), tmp_path / "clone")
    (tmp_path / "clone" / "arkitscenes.zip").write_bytes(b"broken")
    opened = open_rows("vsibench", [str(tmp_path / "clone")])
    bring_media(opened, opened.rows[:2], tmp_path / "media")
    assert len(list((tmp_path / "media").rglob("*.mp4"))) == len({row["scene_name"] for row in opened.rows[:2]})
    with pytest.raises(SceneError, match=r"arkitscenes\.zip is no readable archive"):
        bring_media(opened, [{**opened.rows[0], "dataset": "arkitscenes"}], tmp_path / "media")


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/passwd", "a/../../b.jpg", "..\\b.jpg", "a/..", "x\0.jpg"])
def test_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    write_json(tmp_path / "d/ViewSpatial-Bench.json", [{"image_path": [name], "question": "Q"}])
    write_zip(tmp_path / "d/val2017.zip", {"../out.jpg": png(1), "b.jpg": png(2), "/etc/passwd": png(3)})
    opened = open_rows("viewspatial", [str(tmp_path / "d")])
    with pytest.raises(OutputError, match="not inside of a media folder"):
        bring_media(opened, opened.rows, tmp_path / "media")
    assert not (tmp_path / "media").exists() and not (tmp_path / "out.jpg").exists()


def test_a_link_in_the_media_folder_leads_nowhere(tmp_path: Path) -> None:
    write_json(tmp_path / "d/ViewSpatial-Bench.json", [{"image_path": ["val2017/b.jpg"], "question": "Q"}])
    write_zip(tmp_path / "d/val2017.zip", {"val2017/b.jpg": png(2)})
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "val2017").symlink_to(tmp_path)
    opened = open_rows("viewspatial", [str(tmp_path / "d")])
    with pytest.raises(OutputError, match="by a link in it"):
        bring_media(opened, opened.rows, tmp_path / "media")
    assert not (tmp_path / "b.jpg").exists()


def test_files_of_another_folder_are_never_taken() -> None:
    files = ["egohumans/01/View1.jpg", "data/b/View1.jpg", "View1.jpg"]
    assert match_paths(["ego_exo4d/01/View1.jpg", "b/View1.jpg"], files) == {"b/View1.jpg": "data/b/View1.jpg"}
    assert match_paths(["scannet/s.mp4"], ["s.mp4"], "scannet") == {"scannet/s.mp4": "s.mp4"}
    assert match_paths(["scannet/s.mp4"], ["s.mp4"], "arkit") == {}
    assert choose(["x.md"], (("*.md",), ("*",))) == []


def test_the_command_scores_a_hub_data_set_offline(rows_of: RowsOf, cache: Path, tmp_path: Path) -> None:
    lay_out("vsibench", rows_for("vsibench", rows_of), tmp_path / "clone")
    as_cached(tmp_path / "clone", "nyu-visionx/VSI-Bench", cache)
    out = tmp_path / "scores.json"
    done = subprocess.run(
        [sys.executable, "-m", "spaceland", "score", "vsibench", "--rows", "hf:", "--baseline", "oracle",
         "--json", out],
        env={**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "28 rows; published of VSI-Bench: full 5,131 (5,103 fewer here)" in " ".join(done.stdout.split())
    source = json.loads(out.read_text())["provenance"]["rows_source"]
    assert source == {
        "repo": "nyu-visionx/VSI-Bench", "revision": COMMIT, "licence": "cc-by-4.0", "files": ["test.jsonl"],
        "rows": 28,
    }  # fmt: skip


@pytest.mark.real
def test_real_files_are_counted(real_data: Path) -> None:
    counted = {name: open_rows(name, [str(real_data / file)]).counted for name, file in REAL.items()}
    assert counted["scanqa"] == "4,675 rows, as published of ScanQA (val)."
    assert counted["openeqa"] == "1,636 rows, as published of OpenEQA (v0)."
    assert counted["vsibench"].startswith("2,071 rows; published of VSI-Bench: full 5,131 (3,060 fewer here)")
