"""Texts: corpora, n-grams and compressors as baselines in bits, shuffles that destroy structure, words and their counts."""

from assay.text.compression import COMPRESSORS as COMPRESSORS
from assay.text.compression import compressed_bits as compressed_bits
from assay.text.corpus import END as END
from assay.text.corpus import SYMBOLS as SYMBOLS
from assay.text.corpus import CodedText as CodedText
from assay.text.corpus import CodesText as CodesText
from assay.text.corpus import Corpus as Corpus
from assay.text.corpus import GivesCorpus as GivesCorpus
from assay.text.corpus import alternate_lines as alternate_lines
from assay.text.corpus import decoded as decoded
from assay.text.corpus import symbols_of as symbols_of
from assay.text.ladder import Rung as Rung
from assay.text.ladder import ladder as ladder
from assay.text.ngrams import MOST_ORDER as MOST_ORDER
from assay.text.ngrams import NGrams as NGrams
from assay.text.ppmi import ppmi_vectors as ppmi_vectors
from assay.text.prequential import prequential_ngrams as prequential_ngrams
from assay.text.prequential import with_parameters as with_parameters
from assay.text.shuffles import SHUFFLES as SHUFFLES
from assay.text.shuffles import Shuffler as Shuffler
from assay.text.shuffles import reordered as reordered
from assay.text.word_counts import Vocabulary as Vocabulary
from assay.text.word_counts import words_of as words_of
