"""Looking inside a network while it trains: diagnostics, probes, profiles."""
