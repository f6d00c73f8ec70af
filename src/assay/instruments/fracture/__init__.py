"""Line 5: does what the network computes come from shared, separable parts inside, or from fractured and entangled ones?"""

from assay.instruments.fracture.instrument import Fracture as Fracture
