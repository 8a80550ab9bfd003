"""Results as the EASI leaderboard takes them: easi_results.json, and easi_results.zip with what they were made from.

    {"modelName": "org/model", "modelType": "instruction", "precision": "bfloat16", "revision": "main",
     "weightType": "Original", "baseModel": "", "backend": "spaceland", "remarks": "...",
     "scores": {"vsi_bench": 33.5, ...}, "subScores": {"vsi_bench": {"object_counting": 41.2, ...}, ...}}

Figures are 0 to 100 with four decimals; a part without a figure is null. EASI's own figures come from VLMEvalKit, so
they are taken under that protocol where a result has it; `remarks` names the protocol of every figure. The circular
figures of 3DSRBench by category are null: results hold the circular figure as a whole.

The form is that of EASI v0.2.2 (scripts/submissions).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.benchmarks import blink, sparbench, vsibench
from spaceland.benchmarks.known import ScoreError
from spaceland.evaluation.loaded import Loaded, load_result
from spaceland.files import write_bytes, write_json

ABOUT = ("modelName", "modelType", "precision", "revision", "weightType", "baseModel", "backend", "remarks")
MODEL_TYPES = ("pretrained", "finetuned", "instruction", "rl")
PRECISIONS = ("bfloat16", "float16", "float32", "int8")
CORE = ("vsi_bench", "mmsi_bench", "mindcube_tiny", "viewspatial", "site", "blink", "3dsrbench", "embspatial")
"""The eight benchmarks that a submission needs."""
_PROTOCOL = {"site": "official-no-judge", "3dsrbench": "plain"}
_MOST_ZIP_BYTES = 4_500_000
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class _Form:
    """How a benchmark is written: its key, and the names of its parts by that of our figure."""

    key: str
    parts: Mapping[str, str]


def _simple(name: str) -> str:
    """A name in small letters, words joined by underscores.

    >>> _simple("multi-view & cross-image reasoning"), _simple("Camera perspective - Relative Direction")
    ('multiview_and_crossimage_reasoning', 'camera_perspective_relative_direction')
    """
    text = re.sub(r"(?<=\w)-(?=\w)", "", name.lower().replace("&", "and"))
    return "_".join(re.findall(r"\w+", text))


def _accuracy(names: Sequence[str], key: Callable[[str], str] = _simple) -> dict[str, str]:
    return {name: f"{key(name)}_accuracy" for name in names}


_PAIRS = (("Cam", "Cam"), ("Cam", "Obj"), ("Cam", "Reg"), ("Obj", "Obj"), ("Obj", "Reg"), ("Reg", "Reg"))
_MMSI = {
    **{f"Positional Relationship ({a}.-{b}.)": f"pos_{a.lower()}_{b.lower()}_accuracy" for a, b in _PAIRS},
    "Attribute (Appr.)": "attr_appr_accuracy",
    "Attribute (Meas.)": "attr_meas_accuracy",
    "Motion (Cam.)": "motion_cam_accuracy",
    "Motion (Obj.)": "motion_obj_accuracy",
    "MSR": "msr_accuracy",
}
_VSI = {task: task if task in vsibench.NUMBERS else f"{task}_accuracy" for task in vsibench.TASKS}
_SPAR = {
    **{task: task if "prediction" in task else f"{task}_accuracy" for task in sparbench.TASKS},
    "view_change_infer": "view_change_infer_vci_metric",
    **{group: group.lower() for group in sparbench.GROUPS},
}
_VIEWS = (
    "Camera perspective - Object View Orientation", "Camera perspective - Relative Direction",
    "Person perspective - Object View Orientation", "Person perspective - Relative Direction",
    "Person perspective - Scene Simulation Relative Direction",
)  # fmt: skip
_SITE = (
    "3d information understanding", "counting & existence", "movement prediction & navigation",
    "multi-view & cross-image reasoning", "object localization & positioning", "spatial relationship reasoning",
)  # fmt: skip
_3DSR = (
    "height_higher", "location_above", "location_closer_to_camera", "location_next_to", "multi_object_closer_to",
    "multi_object_facing", "multi_object_parallel", "multi_object_same_direction",
    "multi_object_viewpoint_towards_object", "orientation_in_front_of", "orientation_on_the_left",
    "orientation_viewpoint",
)  # fmt: skip
_FORMS = {
    "vsibench": _Form("vsi_bench", _VSI),
    "mmsi": _Form("mmsi_bench", _MMSI),
    "mindcube": _Form("mindcube_tiny", _accuracy(("among", "around", "rotation"))),
    "viewspatial": _Form("viewspatial", _accuracy(_VIEWS)),
    "site": _Form("site", {name: f"{_simple(name)}_caa" for name in _SITE}),
    "blink": _Form("blink", {task: task.lower().replace("-", "_") for task in blink.TASKS}),
    "3dsrbench": _Form(
        "3dsrbench",
        {"plain": "overall", **{name: name for name in _3DSR}, "circular": "circ_eval_overall"}
        | {f"circular {name}": f"circ_eval_{name}" for name in _3DSR},
    ),
    "embspatial": _Form("embspatial", _accuracy(("ai2thor", "mp3d", "scannet"))),
    "sparbench": _Form("spar_bench", _SPAR),
}
_DEBIASED = _Form("vsi_debiased", _VSI)


def easi_payload(
    paths: Sequence[Path], about: Mapping[str, Any] | None = None, protocol: str | None = None
) -> dict[str, Any]:
    """What EASI's server takes.

    Args:
        paths: Results of one model, one for each benchmark, from `spaceland evaluate`, `rescore` or `score --json`.
        about: What is to be said of the model, by the names in `ABOUT`; name, precision and revision are otherwise
            those of the results.
        protocol: Take every figure under this protocol.

    Raises:
        ScoreError: results of several models, two of one benchmark, one that EASI does not know, or `about` that does
            not fit.
        SceneError: a file is missing or no result.
    """
    about = dict(about or {})
    unknown = sorted(set(about) - set(ABOUT))
    if unknown:
        raise ScoreError(f"EASI has no field '{unknown[0]}'; it takes {', '.join(ABOUT)}")
    for name, known in (("modelType", MODEL_TYPES), ("precision", PRECISIONS)):
        if about.get(name, known[0]) not in known:
            raise ScoreError(f"{name} is {about[name]!r}; EASI knows {', '.join(known)}")
    scores: dict[str, float | None] = {}
    parts: dict[str, dict[str, float | None]] = {}
    used: list[str] = []
    results = [_result(path, protocol) for path in paths]
    for result in results:
        form = _form(result)
        if form.key in scores:
            raise ScoreError(f"{result.path} is a second result for {form.key}; give one for each benchmark")
        figures = {name: value for (part, name), value in result.figures.items() if part != "overall"}
        scores[form.key] = _rounded(result.figures["overall", ""])
        parts[form.key] = {theirs: _rounded(figures.get(ours)) for ours, theirs in form.parts.items()}
        used.append(f"{result.benchmark}@{result.protocol}")
    if not results:
        raise ScoreError("give the results to hand in")
    names = sorted({result.name for result in results})
    if len(names) > 1 and "modelName" not in about:
        raise ScoreError(f"the results are of several models ({', '.join(names)}); a submission is about one")
    model = results[0].about.get("model") or {}
    facts = {
        "modelName": names[0],
        "modelType": "",
        "precision": model.get("dtype") or "",
        "revision": model.get("revision") or "main",
        "weightType": "",
        "baseModel": "",
        "backend": "spaceland",
        "remarks": f"Figures by {', '.join(used)}",
    }
    return {
        **facts,
        **about,
        "scores": dict(sorted(scores.items())),
        "subScores": dict(sorted(parts.items())),
    }


def easi_problems(payload: Mapping[str, Any], num_bytes: int = 0) -> list[str]:
    """What the server or the board would object to, in sentences; `num_bytes` is the size of the archive."""
    found = []
    if "/" not in payload["modelName"]:
        found.append(f"modelName is '{payload['modelName']}', the server wants OWNER/NAME")
    if payload["modelType"] not in MODEL_TYPES:
        found.append(f"modelType is needed: {', '.join(MODEL_TYPES)}")
    if payload["precision"] not in PRECISIONS:
        found.append(f"precision is '{payload['precision']}', the server wants {', '.join(PRECISIONS)}")
    lacking = [key for key in CORE if payload["scores"].get(key) is None]
    if lacking:
        found.append(f"the board wants all of EASI-8; there is nothing for {', '.join(lacking)}")
    if num_bytes > _MOST_ZIP_BYTES:
        found.append(f"easi_results.zip has {num_bytes / 1e6:.1f} MB; beyond 4.5 MB it has to be handed in on the page")
    return found


def write_easi(
    paths: Sequence[Path], folder: Path, about: Mapping[str, Any] | None = None, protocol: str | None = None
) -> list[str]:
    """Write easi_results.json and easi_results.zip into a folder, and say what the server would object to.

    Raises:
        ScoreError, SceneError: as `easi_payload`.
        OutputError: the folder cannot be written.
    """
    payload = easi_payload(paths, about, protocol)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            name = f"{payload['modelName'].rpartition('/')[2] or 'model'}/{_form(_result(path, protocol)).key}.json"
            # The same results make the same archive: no time of today, no order of the disk.
            archive.writestr(zipfile.ZipInfo(name, _DATE), path.read_bytes(), zipfile.ZIP_DEFLATED)
    write_bytes(folder / "easi_results.zip", buffer.getvalue())
    write_json(folder / "easi_results.json", payload)
    return easi_problems(payload, len(buffer.getvalue()))


def _result(path: Path, protocol: str | None) -> Loaded:
    """A result under the protocol that EASI's figures are made by, where it has it."""
    result = load_result(path, protocol)
    if protocol is not None:
        return result
    wanted = _PROTOCOL.get(result.benchmark, "vlmevalkit")
    return load_result(path, wanted) if wanted in result.protocols else result


def _form(result: Loaded) -> _Form:
    form = _FORMS.get(result.benchmark)
    if form is None:
        raise ScoreError(f"{result.path} is about {result.benchmark}; EASI takes {', '.join(_FORMS)}")
    subset = (result.about.get("rows") or {}).get("subset")
    return _DEBIASED if result.benchmark == "vsibench" and subset == "debiased" else form


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
