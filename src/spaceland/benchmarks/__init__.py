"""Scores with named protocols: rows + predictions -> per-sample results, tasks, groups, overall. No torch."""

from spaceland.benchmarks.baselines import baseline_predictions as baseline_predictions
from spaceland.benchmarks.scoring import ScoreError as ScoreError
from spaceland.benchmarks.scoring import ScoreResult as ScoreResult
from spaceland.benchmarks.scoring import score_rows as score_rows
