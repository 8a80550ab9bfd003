"""Index, figures and facts of EmbodiedScan detection, from the rows prepared, for the YAML file of the task."""

from spaceland.lmmseval.prepared import task_fields

DATASET, METRICS, METADATA = task_fields("embodiedscan-det")
