"""Line 5: is the network's function computed by shared, separable parts, or by fractured and entangled ones?"""

from assay.instruments.fracture.instrument import Fracture as Fracture
