"""The table of an experiment: mean score of each arm and task, its interval over rows, its spread over seeds.

An arm's score on a row is the mean over its seeds; rows are drawn again by clip, since questions about one clip are not
independent. The difference to `none` is paired: both arms are drawn with the same clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 2000
REFERENCE = "none"


def per_row(run: Mapping[str, Any], tasks: Sequence[str]) -> Float[np.ndarray, "n"]:
    """Scores of all rows of a run, task after task."""
    return np.concatenate([np.array(run["scores"][task]) for task in tasks])


def row_weights(counts: Mapping[str, int], tasks: Sequence[str]) -> Float[np.ndarray, "n"]:
    """Weights under which every task counts the same, whatever its number of rows; they add up to 1."""
    return np.concatenate([np.full(counts[task], 1 / counts[task] / len(tasks)) for task in tasks])


def resampled(
    scores: Float[np.ndarray, "k n"], weights: Float[np.ndarray, "n"], clips: Int[np.ndarray, "n"], seed: int = 0
) -> Float[np.ndarray, "k r"]:
    """Weighted means of k arms over clips drawn with replacement, the same draws for all arms."""
    rng = np.random.default_rng(seed)
    num = int(clips.max()) + 1
    sums = np.stack([np.bincount(clips, row * weights, num) for row in scores])
    totals = np.bincount(clips, weights, num)
    drawn = rng.multinomial(num, np.full(num, 1 / num), RESAMPLES)
    return (sums @ drawn.T) / np.maximum(totals @ drawn.T, 1e-12)


def figures(
    runs: Sequence[Mapping[str, Any]], frequency: Mapping[str, Sequence[float]], clips: Mapping[str, Sequence[int]]
) -> list[dict[str, Any]]:
    """One entry for each arm: score, interval, seeds, by task and of all tasks, and the difference to `none`.

    Args:
        runs: Of one cell of the matrix but for arm and seed.
        frequency: Scores of the frequency baseline.
        clips: Number of the clip of each row, by task.
    """
    tasks = sorted(frequency)
    counts = {task: len(frequency[task]) for task in tasks}
    groups: dict[str, list[Float[np.ndarray, "n"]]] = {"frequency": [per_row({"scores": frequency}, tasks)]}
    for run in runs:
        groups.setdefault(run["cell"]["arm"], []).append(per_row(run, tasks))
    names = list(groups)
    mean = np.stack([np.mean(groups[name], axis=0) for name in names])
    of_clip = np.concatenate([np.array(clips[task]) for task in tasks])
    weights = row_weights(counts, tasks)
    parts = {"all": weights} | {
        task: np.concatenate([np.full(counts[t], float(t == task) / counts[t]) for t in tasks]) for task in tasks
    }
    found: list[dict[str, Any]] = [{"arm": name, "seeds": len(groups[name])} for name in names]
    for part, weight in parts.items():
        draws = resampled(mean, weight, of_clip)
        for k, name in enumerate(names):
            seeds = [100 * float(scores @ weight) for scores in groups[name]]
            entry: dict[str, Any] = {
                "score": 100 * float(mean[k] @ weight),
                "interval": [100 * float(v) for v in np.percentile(draws[k], [2.5, 97.5])],
                "of_seeds": seeds,
            }
            if REFERENCE in names and name != REFERENCE:
                gap = draws[k] - draws[names.index(REFERENCE)]
                entry["over_none"] = 100 * float((mean[k] - mean[names.index(REFERENCE)]) @ weight)
                entry["over_none_interval"] = [100 * float(v) for v in np.percentile(gap, [2.5, 97.5])]
            found[k][part] = entry
    return found


def markdown(entries: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    """Two tables: all tasks together with intervals and seeds, and the means of each task."""
    known = {entry["arm"]: entry for entry in entries}
    shown = [known[name] for name in ("frequency", *order) if name in known]
    tasks = [key for key in shown[0] if key not in ("arm", "seeds", "all")]
    lines = [
        "| arm | seeds | score | interval over clips | seeds one by one | over `none` |",
        "|---|---|---|---|---|---|",
    ]
    for entry in shown:
        whole = entry["all"]
        seeds = ", ".join(f"{v:.1f}" for v in whole["of_seeds"]) if entry["arm"] != "frequency" else ""
        gap = ""
        if "over_none" in whole:
            below, above = whole["over_none_interval"]
            gap = f"{whole['over_none']:+.1f} ({below:+.1f} to {above:+.1f})"
        low, high = whole["interval"]
        count = "" if entry["arm"] == "frequency" else entry["seeds"]
        lines.append(f"| {entry['arm']} | {count} | {whole['score']:.1f} | {low:.1f} to {high:.1f} | {seeds} | {gap} |")
    lines += ["", f"| arm | {' | '.join(f'`{task}`' for task in tasks)} |", "|---" * (len(tasks) + 1) + "|"]
    for entry in shown:
        lines.append(f"| {entry['arm']} | " + " | ".join(_cell(entry[task]) for task in tasks) + " |")
    return "\n".join(lines) + "\n"


def _cell(entry: Mapping[str, Any]) -> str:
    low, high = entry["interval"]
    return f"{entry['score']:.1f} ({low:.1f} to {high:.1f})"


def trunk_markdown(report: Mapping[str, Any]) -> str:
    """The trunk's own figures on rooms that it never saw, beside what needs no looking."""
    found, how = report["held_out"], report["settings"]
    lines = [
        f"The trunk: {report['parameters'] / 1e6:.1f} million parameters, {how['steps']} steps of {how['clips']} clips "
        f"of {' x '.join(map(str, report['size_px']))} pixels from {report['frames']} frames of {report['rooms']} "
        f"rooms, {report['cpu_s'] / 60:.0f} minutes of processor time; {found['pairs']:.0f} clips of two frames of "
        f"{report['rooms_held_out']} other rooms ({report['part']}).",
        "",
        "| mean error | trunk | trivial |",
        "|---|---|---|",
    ]
    for name, words, digits in (
        ("depth_abs_rel", "depth, as a share of the true one", 3),
        ("depth_error_m", "depth, m", 2),
        ("rotation_deg", "rotation between the two frames, degrees", 1),
        ("translation_m", "translation between the two frames, m", 2),
    ):
        lines.append(f"| {words} | {found[name]:.{digits}f} | {found[f'{name}_trivial']:.{digits}f} |")
    return "\n".join(lines) + "\n"
