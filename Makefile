# Every target sets up what it needs and works as the first command in a fresh clone.
PYTHON ?= python3
MODEL ?= runs/latest
RUNS ?= runs/best-0 runs/best-1 runs/best-2
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL: # two targets must not install into one environment at once
.PHONY: help train test lint format faults readme photographs likeness pretrained accuracy bench sweep clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 14

train: .venv/installed ## Train on the embedded sample (a few seconds), then evaluate
	run=$$($(BIN)/dlcli train --config configs/quickstart.yaml) && $(BIN)/dlcli eval "$$run"

test: lint ## Check everything: lint, types, import contract, tests with coverage
	$(BIN)/pytest --cov

lint: .venv/installed-dev ## Check style, types and the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

faults: .venv/installed-dev ## Kill, fail and attack dlcli at length; count it in the README
	$(BIN)/pytest --long tests/faults
	$(BIN)/python -m tests.generated_readme

readme: .venv/installed-dev ## Write the generated parts of the README anew
	$(BIN)/python -m tests.generated_readme

photographs: .venv/installed-dev ## Count the photographs that MODEL reads (needs the full MNIST)
	$(BIN)/python -m tests.photograph_accuracy $(MODEL) --output benchmarks/PHOTOGRAPHS.md

likeness: .venv/installed-dev ## Train the network that tells digits from other things (15 minutes; needs the full MNIST)
	$(BIN)/python -m tests.generated_likeness

pretrained: .venv/installed-dev ## Write the pretrained model and its card from RUNS, three of configs/best.yaml
	$(BIN)/python -m tests.generated_pretrained $(RUNS)

accuracy: .venv/installed-dev ## Train every config with three seeds, judge it, keep the logs (2 hours)
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m tests.generated_readme

bench: benchmarks/.venv/installed ## Time dlcli beside PyTorch, JAX and scikit-learn (15 minutes, 5 GB)
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	benchmarks/.venv/bin/python -m benchmarks --output benchmarks/RESULTS.md

sweep: .venv/installed-dev ## Measure a search: what it finds, what pruning and a second job bring (half an hour)
	$(BIN)/python -m benchmarks.sweep --output benchmarks/SWEEP.md

clean: ## Remove what make created: environment, caches, builds (not runs/ or data/)
	rm -rf .venv benchmarks/.venv dist build .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python benchmarks/.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dlcli needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(@:/bin/python=) || { rm -rf $(@:/bin/python=); exit 1; }

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/installed

benchmarks/.venv/installed: pyproject.toml benchmarks/requirements.txt | benchmarks/.venv/bin/python
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check . --requirement benchmarks/requirements.txt
	touch $@
