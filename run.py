"""Train one run, or with -m every run that a study misses.

    python run.py block=highway depth=56 seed=3
    python run.py -m study=shortcuts

Hydra composes the configuration from conf/config.yaml and the words typed. `sweeps/one_run.py` trains the one run that
it describes, writes its record and returns its validation error. With -m Hydra hands over to the sweeper,
`sweeps/sweep.py`, whose workers call the same function. docs/architecture.md follows both, file by file.
"""

from sweeps.cli.program import command_line

if __name__ == "__main__":
    command_line()
