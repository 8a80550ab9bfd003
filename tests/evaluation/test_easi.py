"""What is handed in to the EASI leaderboard."""

from __future__ import annotations

import importlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import ScoreError
from spaceland.cli import run
from spaceland.evaluation.easi import CORE, easi_payload, easi_problems, write_easi
from spaceland.evaluation.result import build_result
from spaceland.files import write_json

OURS = ("vsibench", "mmsi", "mindcube", "viewspatial", "site", "blink", "3dsrbench", "embspatial")
ABOUT = {"modelName": "org/tiny", "modelType": "instruction", "precision": "bfloat16"}


def write_result(folder: Path, name: str, *, wrong: int = 0, model: str = "tiny", **rows: Any) -> Path:
    """A result of gold replies, some of them wrong, under all protocols, as `rescore` writes it."""
    module, benchmark = importlib.import_module(f"rows_{name}"), find_benchmark(name)
    table = module.make_rows(60, 4)
    by_id = {benchmark.row_id(row): row for row in table}
    said = {i: "nothing" if k < wrong else module.gold(row) for k, (i, row) in enumerate(by_id.items())}
    result = build_result(
        benchmark,
        benchmark.protocols[0].name,
        by_id,
        {row_id: {"prediction": text} for row_id, text in said.items()},
        {"model": {"name": model, "dtype": "float16", "revision": "abc"}, "rows": rows},
        protocols=[rule.name for rule in benchmark.protocols],
    )
    path = folder / f"{name}.json"
    write_json(path, result)
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("results")
    return [write_result(folder, name, wrong=7) for name in OURS]


def test_all_of_easi_8(results: list[Path], tmp_path: Path) -> None:
    assert write_easi(results, tmp_path, ABOUT) == []
    payload = json.loads((tmp_path / "easi_results.json").read_text())
    assert set(payload["scores"]) == set(CORE) == set(payload["subScores"])
    assert [payload[key] for key in ("modelName", "modelType", "precision", "revision")] == [
        "org/tiny", "instruction", "bfloat16", "abc"
    ]  # fmt: skip
    assert "vsibench@vlmevalkit" in payload["remarks"] and "3dsrbench@plain" in payload["remarks"]
    vsi = json.loads(results[0].read_text())["protocols"]["vlmevalkit"]
    assert payload["scores"]["vsi_bench"] == round(vsi["overall"], 4)
    assert payload["subScores"]["vsi_bench"] == {
        "object_counting": round(vsi["tasks"]["object_counting"], 4),
        "object_abs_distance": round(vsi["tasks"]["object_abs_distance"], 4),
        "object_size_estimation": round(vsi["tasks"]["object_size_estimation"], 4),
        "room_size_estimation": round(vsi["tasks"]["room_size_estimation"], 4),
        "object_rel_distance_accuracy": round(vsi["tasks"]["object_rel_distance"], 4),
        "object_rel_direction_accuracy": round(vsi["tasks"]["object_rel_direction"], 4),
        "route_planning_accuracy": round(vsi["tasks"]["route_planning"], 4),
        "obj_appearance_order_accuracy": round(vsi["tasks"]["obj_appearance_order"], 4),
    }
    circular = payload["subScores"]["3dsrbench"]
    assert circular["overall"] == payload["scores"]["3dsrbench"] >= circular["circ_eval_overall"]
    with zipfile.ZipFile(tmp_path / "easi_results.zip") as archive:
        assert sorted(archive.namelist()) == sorted(f"tiny/{key}.json" for key in CORE)
        held = json.loads(archive.read("tiny/blink.json"))
        assert held["per_sample"][0]["prediction"] == "nothing"
    first = (tmp_path / "easi_results.zip").read_bytes()
    write_easi(results, tmp_path, ABOUT)
    assert (tmp_path / "easi_results.zip").read_bytes() == first


@pytest.mark.parametrize(
    ("ours", "key", "parts"),
    [
        ("mmsi", "mmsi_bench", {"pos_cam_obj_accuracy", "pos_obj_reg_accuracy", "motion_cam_accuracy", "msr_accuracy"}),
        ("mindcube", "mindcube_tiny", {"among_accuracy", "around_accuracy", "rotation_accuracy"}),
        ("viewspatial", "viewspatial", {"camera_perspective_object_view_orientation_accuracy",
                                        "person_perspective_relative_direction_accuracy"}),
        ("site", "site", {"counting_and_existence_caa", "multiview_and_crossimage_reasoning_caa"}),
        ("blink", "blink", {"iq_test", "multi_view_reasoning", "art_style"}),
        ("embspatial", "embspatial", {"ai2thor_accuracy", "mp3d_accuracy", "scannet_accuracy"}),
        ("3dsrbench", "3dsrbench", {"overall", "circ_eval_overall", "height_higher", "orientation_viewpoint"}),
    ],
)  # fmt: skip
def test_parts_are_found_under_their_names(results: list[Path], ours: str, key: str, parts: set[str]) -> None:
    found = easi_payload([results[OURS.index(ours)]])["subScores"][key]
    assert {name for name, value in found.items() if value is not None} >= parts
    # What a result has no figure for is null, never 0 and never left out.
    assert len(found) == {"mmsi": 11, "mindcube": 3, "viewspatial": 5, "site": 6, "blink": 14, "embspatial": 3,
                          "3dsrbench": 26}[ours]  # fmt: skip


def test_spar_and_debiased(tmp_path: Path) -> None:
    paths = [write_result(tmp_path, "sparbench"), write_result(tmp_path, "vsibench", subset="debiased")]
    payload = easi_payload(paths)
    assert payload["scores"] == {"spar_bench": 100.0, "vsi_debiased": 100.0}
    spar = payload["subScores"]["spar_bench"]
    assert len(spar) == 23 and spar["low"] == spar["middle"] == spar["view_change_infer_vci_metric"] == 100.0
    assert {"depth_prediction_oc", "position_matching_accuracy"} <= spar.keys()


def test_a_protocol_can_be_chosen(results: list[Path]) -> None:
    payload = easi_payload(results[:1], protocol="official")
    official = json.loads(results[0].read_text())["protocols"]["official"]["overall"]
    assert payload["scores"]["vsi_bench"] == round(official, 4) and "vsibench@official" in payload["remarks"]


def test_what_the_server_would_object_to(results: list[Path]) -> None:
    said = easi_problems(easi_payload(results[:2]), 5_000_000)
    assert len(said) == 4
    assert "modelName is 'tiny'" in said[0] and "modelType is needed" in said[1]
    assert "nothing for mindcube_tiny, viewspatial" in said[2] and "5.0 MB" in said[3]


def test_refusals(results: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="no field 'name'"):
        easi_payload(results[:1], {"name": "x"})
    with pytest.raises(ScoreError, match="modelType is 'big'"):
        easi_payload(results[:1], {"modelType": "big"})
    with pytest.raises(ScoreError, match="a second result for vsi_bench"):
        easi_payload([results[0], results[0]])
    with pytest.raises(ScoreError, match="several models"):
        easi_payload([results[1], write_result(tmp_path, "vsibench", model="other")])
    with pytest.raises(ScoreError, match="is about scanqa; EASI takes vsibench"):
        easi_payload([write_result(tmp_path, "scanqa")])
    with pytest.raises(ScoreError, match="give the results"):
        easi_payload([])


def test_the_command(results: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", *map(str, results[:2]), "--easi", str(tmp_path / "easi")]
    assert run([*command, "--easi-about", json.dumps(ABOUT)]) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "EASI: the board wants all of EASI-8" in said and "easi_results.zip" in said
    assert json.loads((tmp_path / "easi" / "easi_results.json").read_text())["modelName"] == "org/tiny"
    assert run([*command, "--easi-about", "[1]"]) == 2
    assert "needs a JSON object" in capsys.readouterr().err
