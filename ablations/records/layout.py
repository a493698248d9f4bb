"""The names of a run's files, inside its folder."""

RECORD = "record.json"
CONFIG = "config.yaml"
CURVE = "curve.csv"
DIAGNOSTICS = "diagnostics.csv"
DAMAGES = "lesions.csv"
PREDICTIONS = "predictions.npz"
CHECKPOINT = "last.ckpt"
WEIGHTS = "weights.safetensors"
STATE = "state.ckpt"  # from which a longer run of the same kind goes on
TRACEBACK = "traceback.txt"
MADE = (DIAGNOSTICS, DAMAGES, PREDICTIONS, WEIGHTS, STATE, TRACEBACK)  # removed when the run is trained again
