"""Organisation: is the function written tidily into the units, or fractured?"""

from assay.instruments.organisation.instrument import Organisation as Organisation
