"""Training one network: the classifier, its recipe, the trainer and its callbacks."""
