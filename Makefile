# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

# One thread for each process: on few cores, processes side by side beat threads.
export OMP_NUM_THREADS := 1
# Compiled modules are kept even where the machine says otherwise: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test slice experiments lint docs clean

demo: $(VENV)/.installed
	$(BIN)/assay demo

# Slow tests run without the checks of types and shapes at run time, which take more than half of their time.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow --jaxtyping-packages=

# Twelve networks of the zoo are built, and no answer of the verdict may contradict what they do.
slice: $(VENV)/.installed-dev
	$(BIN)/python -m zoo.judged --jobs 2

# Rates and tables that take too long for the tests: experiments/README.md.
experiments: $(VENV)/.installed-dev
	$(BIN)/python experiments/kills.py
	$(BIN)/python experiments/coverage_of_benchmarks.py
	$(BIN)/python experiments/fuzz.py
	$(BIN)/python experiments/cuts_modes.py
	$(BIN)/python experiments/fracture/ladders.py
	$(BIN)/python experiments/fracture/recipes.py
	$(BIN)/python experiments/fracture/third_question.py --seeds 4
	$(BIN)/python experiments/fracture/drawn_pictures.py --seeds 3 --steps 2000
	$(BIN)/python experiments/fracture/standard.py --jobs 2
	$(BIN)/python experiments/own_networks/all_four.py
	$(BIN)/python experiments/false_findings.py
	$(BIN)/python experiments/mutations.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build --fail-on-warning docs docs/_build/html
	@echo docs/_build/html/index.html

clean:
	rm -rf $(VENV) docs/_build .ruff_cache .import_linter_cache .hypothesis

# The stamps are older than what they depend on exactly when the environment must be brought up to date.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Assay needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo 'Installing into $(VENV), a minute or two'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(INSTALL) '.[docs]'
	@touch $@
