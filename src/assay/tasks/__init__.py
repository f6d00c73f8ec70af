"""Tasks and their addresses. Importing this package, and listing the families, does not import torch."""

from assay.tasks.addresses import given_options as given_options
from assay.tasks.addresses import load_task as load_task
from assay.tasks.addresses import option_names as option_names
from assay.tasks.addresses import task_of_run as task_of_run
from assay.tasks.addresses import with_options as with_options
from assay.tasks.family import TaskFamily as TaskFamily
from assay.tasks.family import TaskOption as TaskOption
from assay.tasks.registry import task_families as task_families
