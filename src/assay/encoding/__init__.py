"""Encodings of texts: the state of every node of a graph at every layer of a network, computed once and kept in float16."""

from assay.encoding.encoded import Encoded as Encoded
from assay.encoding.encoded import Refused as Refused
from assay.encoding.encoder import Encoder as Encoder
from assay.encoding.hugging_face import HuggingFaceEncoder as HuggingFaceEncoder
from assay.encoding.one_pass import encode as encode
from assay.encoding.one_pass import encoder_of as encoder_of
