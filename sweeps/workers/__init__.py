"""Processes that train runs, started by Hydra's launcher."""
