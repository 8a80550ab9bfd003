"""Scores with named protocols: rows + predictions -> per-sample results, tasks, groups, overall. No torch."""

from spaceland.benchmarks.baselines import baseline_predictions as baseline_predictions
from spaceland.benchmarks.known import ScoreError as ScoreError
from spaceland.benchmarks.known import find_benchmark as find_benchmark
from spaceland.benchmarks.score import ScoreResult as ScoreResult
from spaceland.benchmarks.score import score_benchmark as score_benchmark
