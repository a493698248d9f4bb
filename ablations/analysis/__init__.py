"""From records to results: metrics, statistics, claims and their verdicts."""
