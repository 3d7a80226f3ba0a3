# Every target installs what it needs and works as the first command in a fresh clone. Those with
# MNIST in their help need the full MNIST: dlcli data fetch.
PYTHON ?= python3
MODEL ?= runs/latest
RUNS ?= runs/world
BIN := .venv/bin
# Some containers set it; then each of the thousand processes of the tests compiles every module.
unexport PYTHONDONTWRITEBYTECODE
# Compiles the packages on all cores, where pip has one, without their own tests. What does not
# compile is no module but a template, say; pip ignores it, too.
COMPILE := python -m compileall -qq -j 0 -x '/tests?/'
# The first pip that knows [dependency-groups]; Python 3.13 and older come without it.
PIP_WITH_GROUPS := 'pip>=25.1'

.DEFAULT_GOAL := help
.NOTPARALLEL: # two targets must not install into the same environment at once
.PHONY: help train test coverage lint format faults readme docs pictures dist photographs ablation numbers labels rejection cuts world pretrained \
	checkpoints oracle exports accuracy sweep bench lowest lock audit clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

train: .venv/installed ## Train on the embedded sample for a few seconds, then evaluate
	run=$$($(BIN)/dlcli train --config configs/quickstart.yaml) && $(BIN)/dlcli eval "$$run"

test: lint ## Check everything: style, types, import contract, tests
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

coverage: .venv/installed-dev ## Run the tests, and check that they reach 95 % of the code
	$(BIN)/pytest --cov --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: .venv/installed-dev ## Check style, types and the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev ## Format the code and fix what the linter can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

faults: .venv/installed-dev ## Try every kill, failing call and hostile file (20 minutes)
	$(BIN)/pytest --long tests/faults
	$(BIN)/python -m tools.generate_docs

readme: .venv/installed-dev ## Update the generated documentation, the manual pages and the model card
	$(BIN)/python -m tools.generate_docs
	$(BIN)/python -m tools.generate_lessons
	$(BIN)/python -m tools.generate_man_pages
	$(BIN)/python -m tools.architecture

docs: .venv/installed-dev ## Build the documentation as a site, in build/docs
	$(BIN)/sphinx-build -W --keep-going --quiet -b html docs build/docs

pictures: .venv/installed-dev ## Draw the pictures of the README (half a minute, on an idle machine; Chromium)
	$(BIN)/python -m tools.pictures

dist: .venv/installed-dev ## Build the sdist and the wheel, in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation

photographs: .venv/installed-dev ## Count the photographs that MODEL reads, and those in FOLDER (20 minutes; MNIST)
	$(BIN)/pytest --long tests/tools/test_photographs.py tests/vision/test_pipeline.py
	$(BIN)/python -m tools.photograph_accuracy $(MODEL) $(if $(FOLDER),--folder "$(FOLDER)") --output benchmarks/PHOTOGRAPHS.md
	$(BIN)/python -m tools.generate_docs

numbers: .venv/installed-dev ## Count the numbers that MODEL reads, and those in FOLDER (30 minutes; MNIST)
	$(BIN)/python -m tools.number_accuracy $(MODEL) $(if $(FOLDER),--folder "$(FOLDER)") --output benchmarks/NUMBERS.md
	$(BIN)/python -m tools.generate_docs

labels: .venv/installed-dev ## Count the wrong labels that `dlcli data audit` finds (2 minutes; MNIST)
	$(BIN)/python -m tools.label_accuracy

ablation: .venv/installed-dev ## Measure what each rule and constant of vision is worth (30 minutes; MNIST)
	$(BIN)/python -m tools.vision_ablation $(if $(FOLDER),--folder "$(FOLDER)") --output benchmarks/VISION.md

rejection: .venv/installed-dev ## Train the rejection network (15 minutes; MNIST)
	$(BIN)/python -m tools.train_rejection

cuts: .venv/installed-dev ## Train the network that judges cuts between digits (65 minutes; MNIST)
	$(BIN)/python -m tools.train_cuts
	$(BIN)/python -m tools.train_strings

world: .venv/installed-dev ## Train MODEL further on the world's handwriting (25 minutes; MNIST)
	$(BIN)/python -m tools.train_pretrained $(MODEL)

pretrained: .venv/installed-dev ## Publish the best of RUNS as the pretrained model (MNIST)
	$(BIN)/python -m tools.publish_pretrained $(RUNS)

checkpoints: .venv/installed-dev ## Write runs that later versions must be able to read
	$(BIN)/python -m tools.generate_checkpoints

oracle: benchmarks/.venv/installed ## Record PyTorch's values for the tests (5 GB of packages)
	benchmarks/.venv/bin/python -m tools.generate_oracle

exports: benchmarks/.venv/installed .venv/installed-dev ## Compare exported models with dlcli (5 GB of packages; MNIST)
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	benchmarks/.venv/bin/python -m benchmarks.exports
	$(BIN)/python -m tools.generate_docs

accuracy: .venv/installed-dev ## Train and evaluate every config with three seeds, record with two (4 to 6 hours)
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m tools.generate_docs

bench: benchmarks/.venv/installed .venv/installed-dev ## Compare with PyTorch, JAX, scikit-learn (1 hour; 5 GB)
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	benchmarks/.venv/bin/python -m benchmarks --output benchmarks/RESULTS.md
	$(BIN)/python -m tools.generate_docs

sweep: .venv/installed-dev ## Measure searches, with pruning and a second job (11 minutes)
	$(BIN)/python -m benchmarks.sweep --output benchmarks/SWEEP.md

lowest: .venv-lowest/installed ## Run the tests with the lowest versions of the dependencies
	.venv-lowest/bin/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lock: .venv-lock/installed ## Pin new packages in requirements/dev.lock, and with UPGRADE=1 all anew
	UV_CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/uv pip compile --quiet --universal --no-annotate $(if $(UPGRADE),--upgrade) \
		pyproject.toml --all-extras --group dev --output-file requirements/dev.lock

audit: .venv-audit/installed ## Ask PyPI whether the dependencies have known vulnerabilities
	.venv-audit/bin/pip-audit --strict --progress-spinner off .

clean: ## Remove environments, caches and builds, but not runs or data
	rm -rf .venv .venv-lowest .venv-lock .venv-audit benchmarks/.venv dist build .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python .venv-lowest/bin/python .venv-lock/bin/python .venv-audit/bin/python benchmarks/.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dlcli needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(@:/bin/python=) || { rm -rf $(@:/bin/python=); exit 1; }

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: pyproject.toml requirements/dev.lock | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_WITH_GROUPS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint requirements/dev.lock --editable '.[all]' --group dev
	$(BIN)/$(COMPILE) .venv/lib || true
	touch $@ .venv/installed

.venv-lowest/installed: pyproject.toml tools/lowest_versions.py | .venv-lowest/bin/python
	.venv-lowest/bin/python -m tools.lowest_versions > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_WITH_GROUPS)
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint .venv-lowest/constraints.txt --editable '.[all]' --group dev
	touch $@

.venv-lock/installed: | .venv-lock/bin/python
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	touch $@

.venv-audit/installed: | .venv-audit/bin/python
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	touch $@

benchmarks/.venv/installed: pyproject.toml benchmarks/requirements.txt | benchmarks/.venv/bin/python
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check . --requirement benchmarks/requirements.txt
	touch $@
