"""What `assay tasks` says of the task. It stands apart from the task, so that a listing does not import torch."""

from assay.tasks import TaskFamily, TaskOption

PRODUCTS = TaskFamily(
    name="products",
    summary="the product of two numbers",
    form="products:size=6",
    home="products:Products",
    options=(TaskOption(name="size", type="integer", default="6", meaning="how many numbers there are"),),
)
