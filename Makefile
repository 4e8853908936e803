# Two commands: `make run` (the whole walk on the embedded data) and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test env test-env lint lock clean

run: env
	$(BIN)/python -m launch.demo

test: test-env lint
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

lint: test-env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

env: $(VENV)/.run
test-env: $(VENV)/.test

$(VENV)/.uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==0.13.9"
	touch $@

# One lock for both: the second command adds to what the first installed.
$(VENV)/.run: $(VENV)/.uv setup.py requirements.lock
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --constraint requirements.lock --editable .
	touch $@

$(VENV)/.test: $(VENV)/.uv setup.py requirements.lock
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --constraint requirements.lock --editable ".[test,keras]"
	touch $@ $(VENV)/.run

# After a change of setup.py's dependencies.
lock: $(VENV)/.uv
	$(BIN)/uv pip compile setup.py --extra test --extra keras --python-version 3.11 \
		--no-emit-index-url --no-annotate --no-header --upgrade --output-file requirements.lock

clean:
	rm -rf $(VENV) data runs results
