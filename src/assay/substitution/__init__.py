"""Synonyms and k-coverage: which novel combinations follow from trained ones by substitution alone.

All functions work on value indices: a combination is a row with one value index per part, an answer is an id. No model is
involved.

*Fragment and context.* A strict, non-empty subset I of the parts splits a combination into a fragment (its values on I) and a
context (the others). *Functional k-equivalence* (Chang et al. 2025, The Coverage Principle, arXiv 2505.20278, definition 3.1):
two fragments on I are equivalent when they are observed with the same answer in at least k contexts, and in no context with
different answers. *k-coverage*: join two combinations of the product space when they differ by the replacement of one fragment
by an equivalent one; a combination is covered if it is connected to a trained one, possibly through combinations that occur
nowhere. The equivalence is not transitive, but connectedness is.

*Synonyms*. Two values of a part act identically when they are 1-equivalent as fragments: in every context in which both are
observed they have the same answer, and there is at least one such context. Contexts in which only one of them is observed do
not count. A novel combination is a synonym of a trained one when each of its values equals, or acts identically to, the value
of that trained combination; with one exchange, when only one value differs. Every synonym lies inside 1-coverage, since the
values can be exchanged one after another.

A trained combination with contradicting answers agrees with no other: it is evidence against every equivalence in which it
occurs.
"""

from assay.substitution.coverage import KS as KS
from assay.substitution.coverage import Reach as Reach
from assay.substitution.coverage import k_coverage as k_coverage
from assay.substitution.synonyms import Synonyms as Synonyms
from assay.substitution.synonyms import synonyms as synonyms
from assay.substitution.trained import NO_ANSWER as NO_ANSWER
from assay.substitution.trained import Trained as Trained
