"""Skipbench's side of Hydra: thin glue; the thinking lives in `ablations`.

Hydra loads every module of `hydra_plugins` at each start but those whose name begins with an underscore.
"""
