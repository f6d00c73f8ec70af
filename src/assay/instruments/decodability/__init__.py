"""Line 2, encoding: can the parts be read linearly, and more so than before training?"""

from assay.instruments.decodability.instrument import Decodability as Decodability
