"""Index, figures and facts of ScanQA, from the rows that were prepared, for the YAML file of the task."""

from spaceland.lmmseval.prepared import task_fields

DATASET, METRICS, METADATA = task_fields("scanqa")
