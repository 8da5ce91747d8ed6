"""Heatmap decoders: from a network's outputs to landmarks in heatmap pixels.

``create``, ``from_spec``, ``names``, ``describe`` and ``broken`` import no decoder (and no torch) before one is used.

>>> from nmebench import decoders
>>> decoders.from_spec("dark:kernel=17").spec
'dark:kernel=17'
"""

from nmebench.decoders.errors import DecoderError
from nmebench.decoders.registry import broken, create, describe, from_spec, names

__all__ = ["DecoderError", "broken", "create", "describe", "from_spec", "names"]
