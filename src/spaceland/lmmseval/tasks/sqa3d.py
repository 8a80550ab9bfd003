"""Index, figures and facts of SQA3D, from the rows that were prepared, for the YAML file of the task."""

from spaceland.lmmseval.prepared import task_fields

DATASET, METRICS, METADATA = task_fields("sqa3d")
