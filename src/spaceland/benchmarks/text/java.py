"""METEOR and SPICE, through the Java programs in the package `pycocoevalcap`; None where one of the two is missing.

    pip install 'spaceland[captions]'      # 104 MB, and a `java` on the PATH (17 works)

Nothing here ever answers 0 for "could not be computed". METEOR 1.5 gives 23 numbers for a sentence; the formula over
them (for English, as the caption toolkit calls it) is in `meteor`, so a corpus and any part of it need no second run.
SPICE fetches parser models when it runs for the first time; without them it is None as well.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import DependencyError

_METEOR = ("-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm")
_STATISTICS = 23
# Weights of exact, stem, synonym and paraphrase matches, and the tuned parameters for English of METEOR 1.5.
_MODULES = np.array([1.0, 0.6, 0.8, 0.6])
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_CONTENT = np.array([_DELTA, 1 - _DELTA])


@cache
def java_package() -> Path | None:
    """Folder of `pycocoevalcap` when it is installed and there is a Java to run it; else None."""
    spec = importlib.util.find_spec("pycocoevalcap")
    if spec is None or not spec.submodule_search_locations or shutil.which("java") is None:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def meteor_statistics(
    references: Sequence[Sequence[str]], candidates: Sequence[str]
) -> Float[np.ndarray, "n 23"] | None:
    """What METEOR counts for each sentence; None without Java or the package.

    Raises:
        DependencyError: the program was started and did not answer.
    """
    folder = java_package()
    if folder is None:
        return None
    process = subprocess.Popen(
        ["java", *_METEOR],
        cwd=folder / "meteor",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdin is not None and process.stdout is not None
    found = np.zeros((len(candidates), _STATISTICS))
    try:
        for row, (texts, candidate) in enumerate(zip(references, candidates, strict=True)):
            parts = ["SCORE", *(_one_line(text) for text in texts), _one_line(candidate).replace("  ", " ")]
            process.stdin.write(" ||| ".join(parts) + "\n")
            process.stdin.flush()
            numbers = process.stdout.readline().split()
            if len(numbers) != _STATISTICS:
                raise DependencyError(
                    f"METEOR gave {len(numbers)} numbers for sentence {row + 1}, expected {_STATISTICS}; "
                    "does `java -version` work, and is pycocoevalcap 1.2 complete?"
                )
            found[row] = [float(number) for number in numbers]
    except BrokenPipeError:
        raise DependencyError("METEOR stopped; does `java -version` work, is there 2 GB of memory for it?") from None
    finally:
        process.kill()
        process.communicate()
    # A sentence that matches as a whole has no break in it.
    whole = (found[:, 20] == 1) & (found[:, 21] == found[:, 0]) & (found[:, 22] == found[:, 1])
    found[whole, 20] = 0
    return found


def meteor(statistics: Float[np.ndarray, "*rows 23"]) -> Float[np.ndarray, "*rows"]:
    """METEOR 1.5, 0 to 1, from statistics of sentences or from their sum.

    The numbers: lengths of candidate and reference, function words in each; for each of four modules matched content
    words of both and matched function words of both; chunks; matched words of both.
    """
    lengths, function = statistics[..., 0:2], statistics[..., 2:4]
    modules = statistics[..., 4:20].reshape(*statistics.shape[:-1], 4, 2, 2)  # module, kind, side
    matched = np.einsum("m,k,...mks->...s", _MODULES, _CONTENT, modules)
    weighed = _DELTA * (lengths - function) + (1 - _DELTA) * function
    precision, recall = np.moveaxis(matched / np.maximum(weighed, 1e-300), -1, 0)
    mean = precision * recall / np.maximum(_ALPHA * precision + (1 - _ALPHA) * recall, 1e-300)
    words = statistics[..., 21:23].mean(-1)
    breaks = statistics[..., 20] / np.maximum(words, 1e-300)
    return np.where((precision > 0) & (recall > 0), mean * (1 - _GAMMA * breaks**_BETA), 0.0)


def spice(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> Float[np.ndarray, "n"] | None:
    """SPICE of each sentence, 0 to 1; None without Java, the package or its parser models."""
    folder = java_package()
    if folder is None or not any((folder / "spice" / "lib").glob("stanford-corenlp-*-models.jar")):
        return None
    from pycocoevalcap.spice.spice import Spice

    texts = {row: [_one_line(text) for text in item] for row, item in enumerate(references)}
    _, scores = Spice().compute_score(texts, {row: [_one_line(text)] for row, text in enumerate(candidates)})
    return np.array([score["All"]["f"] for score in scores])


def _one_line(text: str) -> str:
    """The programs read one sentence a line, with ||| between sentences."""
    return " ".join(text.replace("|||", "").splitlines()) if text else ""
