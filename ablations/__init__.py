"""The question and the answer: studies, plans, identities, records, statistics, claims. Never torch, never Hydra."""
