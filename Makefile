# Two commands: `make run` (the whole walk on the embedded data) and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test browser-test faults fuzz env test-env lint lock audit clean

run: env
	$(BIN)/python -m launch.demo

test: test-env lint
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

# The review page in headless Chromium; axe-core comes from npm, into a folder outside the clone.
TAGJAX_BROWSER ?= $(HOME)/.cache/tagjax-browser
browser-test: test-env
	npm install --silent --no-audit --no-fund --prefix $(TAGJAX_BROWSER) axe-core@4.14.1
	TAGJAX_BROWSER=$(TAGJAX_BROWSER) $(BIN)/python -m pytest tests/browser

# The trials of tests/faults in their long form.
faults: test-env
	TAGJAX_FAULTS=long $(BIN)/python -m pytest tests/faults

# Coverage-guided, for so many seconds a run: make fuzz SECONDS=600
fuzz: test-env
	$(INSTALL) --constraint requirements/test.lock "atheris==3.0.0"
	$(BIN)/python tests/faults/fuzz_parsers.py $(or $(SECONDS),600)

lint: test-env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

env: $(VENV)/.run
test-env: $(VENV)/.test

# Everything is pinned with hashes; `make lock` makes the files, after a change of setup.py.
INSTALL := $(BIN)/uv pip install --python $(BIN)/python
PACKAGES := $(INSTALL) --compile-bytecode --require-hashes --requirements
TAGJAX := $(INSTALL) --no-deps --no-build-isolation --editable .

$(VENV)/.uv: requirements/tools.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements/tools.lock
	touch $@

$(VENV)/.run: $(VENV)/.uv setup.py requirements/run.lock
	$(PACKAGES) requirements/run.lock
	$(TAGJAX)
	touch $@

$(VENV)/.test: $(VENV)/.uv setup.py requirements/test.lock
	$(PACKAGES) requirements/test.lock
	$(TAGJAX)
	touch $@ $(VENV)/.run

COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

lock: $(VENV)/.uv
	echo "uv==0.13.9" | $(COMPILE) - --output-file requirements/tools.lock
	echo setuptools | $(COMPILE) setup.py - --extra test --extra keras --extra beam --upgrade \
		--output-file requirements/test.lock
	echo setuptools | $(COMPILE) setup.py - --extra library --extra review --constraint requirements/test.lock \
		--output-file requirements/run.lock

# Known vulnerabilities of what is pinned (asks the vulnerability database on the network).
audit: $(VENV)/.uv
	$(BIN)/uv tool run "pip-audit==2.9.0" --strict --disable-pip --require-hashes \
		--requirement requirements/test.lock

# Environments and caches; what is in data/, runs/ and results/ is yours.
clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find tagjax launch datasets tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
