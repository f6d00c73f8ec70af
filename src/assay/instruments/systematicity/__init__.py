"""Line 2, behaviour: novel combinations of trained parts."""

from assay.instruments.systematicity.instrument import Systematicity as Systematicity
