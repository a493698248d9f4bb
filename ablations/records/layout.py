"""The names of a run's files, inside its folder."""

RECORD = "record.json"
CONFIG = "config.yaml"
CURVE = "curve.csv"
DIAGNOSTICS = "diagnostics.csv"
DAMAGES = "lesions.csv"
CHECKPOINT = "last.ckpt"
TRACEBACK = "traceback.txt"
