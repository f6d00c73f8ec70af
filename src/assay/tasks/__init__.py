"""Tasks and their addresses. Importing this package, and listing the families, does not import torch."""

from assay.tasks.addresses import load_task as load_task
from assay.tasks.families import TaskFamily as TaskFamily
from assay.tasks.families import TaskOption as TaskOption
from assay.tasks.families import task_families as task_families
