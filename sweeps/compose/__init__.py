"""From overrides to a run, with Hydra."""
