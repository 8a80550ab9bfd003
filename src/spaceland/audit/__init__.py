"""Audit of a dataset: priors, baselines that do not look, duplicates, labels, images, and limits for all of them."""

from spaceland.audit.audit import AuditReport as AuditReport
from spaceland.audit.audit import audit_dataset as audit_dataset
from spaceland.audit.limits import Limits as Limits
