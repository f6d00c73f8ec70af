"""Line 8: does a small circuit of the network do the task, alone and necessary, and is it more than a fit to nonsense?"""

from assay.instruments.circuits.instrument import Circuits as Circuits
