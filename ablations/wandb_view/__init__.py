"""Runs and results in Weights & Biases. The only floor that imports wandb."""
