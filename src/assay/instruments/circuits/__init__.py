"""Line 8: is there a small circuit that is sufficient and necessary for the task, and more than a fit to nonsense labels?"""

from assay.instruments.circuits.instrument import Circuits as Circuits
