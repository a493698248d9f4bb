"""Searches with Optuna: tunings, trials, storage, importances. The only floor that imports optuna."""
