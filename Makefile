# seisvision: every target sets up what it needs and is quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# make setup TORCH=cpu: builds of torch and torchvision without libraries for GPUs, which PyPI has not for Linux.
TORCH ?=
# A hundred processes of tests would compile our modules, where the environment forbids to keep what was compiled; and the
# longest files, which come first (tests/conftest.py), would come last, were files with many tests put before them.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-full pictures gallery atlas quick test lines lint format types bench coverage docs clean

help:  ## show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: $(READY)  ## create .venv with everything that running and testing needs (TORCH=cpu: no libraries for GPUs)

# uv installs in a third of the time; where it cannot be had, pip does the same from the same pins. Only uv knows where the
# builds of TORCH lie, so with TORCH there is nothing to fall back to.
# Bytecode is compiled at once, or every process would pay ten seconds for its imports.
$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): about $(if $(TORCH),3,7) GB of packages, a few minutes the first time."
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "seisvision needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if $(BIN)/python -m pip install --quiet 'uv>=0.9,<1' && UV_COMPILE_BYTECODE=1 $(BIN)/uv pip install \
	    --python $(BIN)/python $(if $(TORCH),--torch-backend=$(TORCH)) -e '.[dev]' -c constraints.txt; then :; \
	elif test -n "$(TORCH)"; then \
	    echo "TORCH=$(TORCH): uv could not install these builds; nothing else was taken in their place. Without TORCH the" \
	        "ordinary builds are installed; https://pytorch.org/get-started/locally says how to install torch by hand."; exit 1; \
	else echo "uv could not install; falling back to pip"; \
	    $(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt; fi
	@touch $@

demo: $(READY)  ## train, evaluate and report a first experiment on a small built-in set (three minutes)
	$(BIN)/python train.py experiment=demo_small

demo-full: $(READY)  ## the same on the whole built-in set, four times as many events
	$(BIN)/python train.py experiment=demo

pictures: $(READY)  ## draw the pictures of the README from what make demo leaves
	$(BIN)/python docs/draw_pictures.py

gallery: $(READY)  ## draw those that only the gallery has: a local event, a catalogue, reliability (a minute)
	$(BIN)/python docs/draw_gallery.py

atlas: $(READY)  ## every experiment of the Seismic Atlas in reduced size, and a report (about an hour)
	$(BIN)/seisvision atlas

# What takes long without being marked is told at the end: mark it, or make it quicker.
quick: $(READY)  ## run the tests that neither train nor start processes (minutes)
	$(PYTEST) -q -m "not slow" --durations=10 --durations-min=3

test: $(READY)  ## run the tests
	$(PYTEST)

lines: $(READY)  ## run the quick tests and list the lines of seisvision that none of them reaches
	$(PYTEST) -q -m "not slow" --cov=seisvision --cov-report=term-missing:skip-covered

lint: $(READY)  ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## apply style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## check types
	$(BIN)/mypy

bench: $(READY)  ## measure speed against what a user would use instead, as ratios
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/rendering.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/trace_views.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/location.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ellipses.py --short
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reading.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fibre.py
	$(BIN)/python benchmarks/epoch.py
	$(BIN)/python benchmarks/epoch.py --size 224 224
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/launch.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/after_training.py --epochs 2 experiment=demo_small
	$(BIN)/python benchmarks/sweeps.py
	$(BIN)/python benchmarks/clustering.py

coverage: $(READY)  ## count how often the printed intervals hold the truth
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/coverage.py

docs: $(READY)  ## build the pages in docs/ as HTML; a broken link or a page that nothing leads to fails
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

clean:  ## remove the environment and caches; data and runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
