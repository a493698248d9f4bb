"""Everything with a tensor in it: networks, data, training. Never Hydra, never the questions asked of it."""
