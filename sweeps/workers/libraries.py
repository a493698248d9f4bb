"""Import torch and Lightning; only the forkserver imports this module, before the others."""

from sweeps.instantiate import import_quickly

import_quickly("torch", "pytorch_lightning")
