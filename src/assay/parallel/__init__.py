"""The one seam to joblib: independent pieces of work, each in a process with one torch thread, here or on a cluster.

One thread per process and many processes beat many threads wherever the work can be split, and one thread fixes the
order of every sum: same seed, same bytes, on every engine.
"""

from assay.parallel.engine import Engine
from assay.parallel.piece import one_thread
from assay.parallel.run import run_parallel, run_unordered

__all__ = ["Engine", "one_thread", "run_parallel", "run_unordered"]
