# `make demo` and `make test` set up whatever they need.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
# What the tests need on top: reconstruction, the detector, pages, and models on the processor.
EXTRAS := .venv/.extras

.PHONY: setup demo demo-short test test-all lint format bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

$(EXTRAS): $(STAMP)
	$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[dev,recon,detect,web,model,serve,tensorboard]'
	@touch $(EXTRAS)

demo: $(STAMP)
	$(BIN)/spaceland demo --out out/demo

demo-short: $(STAMP)
	$(BIN)/spaceland demo --out out/demo-short --scenes rooms:1

test: $(EXTRAS)
	$(BIN)/python -m pytest -n 2 -m 'not heavy'

# Heavy groups and extras too; tests on real scans run when SPACELAND_REAL_DATA names their folder.
test-all: $(EXTRAS)
	$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[dev,ray]'
	-$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[phone]'
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(EXTRAS)
	@for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv out build dist
