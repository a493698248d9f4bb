"""Between Hydra and the rest: compose configurations, start workers, train studies."""
