"""Algorithms with known steps: computation graphs of their inputs."""

from assay.tasks.algorithms.arithmetic import modular_tree as modular_tree
from assay.tasks.algorithms.multiplication import multiplication as multiplication
from assay.tasks.algorithms.non_adjacent import non_adjacent_sum as non_adjacent_sum
from assay.tasks.algorithms.non_adjacent import non_adjacent_values as non_adjacent_values
from assay.tasks.algorithms.pcfg import pcfg_trees as pcfg_trees
from assay.tasks.algorithms.puzzles import Puzzle as Puzzle
from assay.tasks.algorithms.puzzles import drawn_puzzle as drawn_puzzle
from assay.tasks.algorithms.puzzles import puzzle_graphs as puzzle_graphs
from assay.tasks.algorithms.scan import scan_computations as scan_computations
