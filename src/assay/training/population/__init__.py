"""Train many small networks at once."""

from assay.training.population.many import fit_many as fit_many
