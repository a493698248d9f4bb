"""Records shown in Weights & Biases. The only floor that imports wandb."""
