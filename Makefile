# `make run` and `make test` set up everything they need in .venv, once; PYTHON=python3.12 chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := pyproject.toml constraints.txt

.PHONY: run test proofs latest lint clean

run: .venv/.run
	$(BIN)/python run.py -m $(ARGS)

# Three at once on two cores: many tests wait for the processes that they start.
test: .venv/.test
	@$(BIN)/python -m compileall -q ablations hydra_plugins lightning_modules sweeps  # which hundreds of processes import
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# What takes long and proves at length what another test proves in short.
proofs: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m long $(ARGS)

# The tests with the newest releases that pyproject.toml allows, not those of constraints.txt; in a .venv of their own.
# torch is the one of constraints.txt, since the newest is some gigabytes: TORCH=torch takes that.
TORCH ?= $(shell grep '^torch==' constraints.txt)
latest:
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/python -m pip --disable-pip-version-check install --upgrade $(TORCH) -e '.[test]'
	OMP_NUM_THREADS=1 .venv-latest/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

.venv/.run: $(READY)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Skipbench needs Python 3.11 to 3.13, and $(PYTHON) is {v[0]}.{v[1]}; choose another: make run PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/.test: .venv/.run
	$(PIP) install -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf .venv .venv-latest build *.egg-info
