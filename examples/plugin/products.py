"""A task: the product of two numbers, each shown as a token that says nothing of its size."""

import torch

from assay import Table


class Products(Table):
    """Every fourth of the `size` x `size` products is novel."""

    def __init__(self, size: int = 6):
        i, j = (numbers.flatten() for numbers in torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))
        novel = (i + 2 * j) % 4 == 0
        super().__init__(inputs=torch.stack([i, size + j], 1), targets=i * j, parts={"i": i, "j": j}, split=novel)
        self.address = f"products:size={size}"
