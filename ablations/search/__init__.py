"""Search with Optuna: tunings, trials, storage, importances. Only this floor imports optuna."""
