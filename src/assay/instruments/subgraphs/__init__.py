"""Line 6: rules, or subgraphs matched with those seen in training?"""

from assay.instruments.subgraphs.instrument import Subgraphs as Subgraphs
