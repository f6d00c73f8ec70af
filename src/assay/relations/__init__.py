"""Relations between words: comparison of two systems over the same words, with the pairing known and without it."""

from assay.relations.ability import GivesRelations as GivesRelations
from assay.relations.calibrated import Calibrated as Calibrated
from assay.relations.calibrated import calibrated as calibrated
from assay.relations.calibrated import calibrated_maximum as calibrated_maximum
from assay.relations.categories import category_agreement as category_agreement
from assay.relations.categories import match_categories as match_categories
from assay.relations.cka import debiased_cka as debiased_cka
from assay.relations.gromov import gromov_wasserstein as gromov_wasserstein
from assay.relations.human import analogies_by_pair as analogies_by_pair
from assay.relations.human import analogy_accuracy as analogy_accuracy
from assay.relations.human import rated_correlation as rated_correlation
from assay.relations.human import rated_null as rated_null
from assay.relations.matching import Match as Match
from assay.relations.matching import match as match
from assay.relations.matching import power_curve as power_curve
from assay.relations.neighbours import mutual_neighbours as mutual_neighbours
from assay.relations.neighbours import mutual_null as mutual_null
from assay.relations.neighbours import nearest as nearest
from assay.relations.permutations import permutations as permutations
from assay.relations.rsa import rsa as rsa
from assay.relations.spelling import same_stem as same_stem
from assay.relations.spelling import spelling_overlap as spelling_overlap
from assay.relations.vectors import cosine as cosine
from assay.relations.vectors import unit_vectors as unit_vectors
