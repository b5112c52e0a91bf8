# `make run` sets up and runs the demo; `make test` sets up and runs all checks.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
DEVICE ?= cpu
CORES ?= $(shell nproc 2>/dev/null || echo 2)
VENV := .venv
LOCK := $(if $(filter cuda,$(DEVICE)),requirements-cuda.txt,requirements.txt)
READY := $(VENV)/.ready-$(DEVICE)
BIN := $(VENV)/bin
PARITY := .venv-parity
# A file's tests share what they make; files of tests marked `long` come first (tests/conftest.py).
BY_FILE := --dist loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Dozens of short processes import the same modules: compiling these each time is most of a short step's time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test test-demo test-slurm test-slurm-all parity-torch check lock clean
help: ## Shows these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(READY) ## Makes .venv from the hash-pinned lock (DEVICE=cuda for NVIDIA GPUs)

$(READY): $(LOCK) setup.sh
	@./setup.sh $(VENV) $(LOCK)
	@rm -f $(VENV)/.ready-*; touch $@

run: setup ## Runs the demo: real genome to figures and report
	@$(BIN)/snakemake --cores $(CORES) --rerun-incomplete --config device=$(if $(filter cuda,$(DEVICE)),cuda,auto)
	@echo "Figures: results/figures/"
	@echo "Report:  results/report.html"

test: setup check ## Runs all checks but the whole demo and Slurm
	@$(BIN)/python -m pytest -m "not demo and not slurm" -n $(CORES) $(BY_FILE) --durations=40 --durations-min=5

test-demo: setup ## Runs the whole demo once and checks its numbers (minutes)
	@$(BIN)/python -m pytest -m demo

# Without root Slurm cannot be installed: its tests say so and are skipped, but fail where CI=true.
test-slurm: setup ## Runs the workflow on a Slurm of one node (root; about 5 minutes)
	@tests/slurm/install.sh || [ "$${CI:-}" != true ]
	@$(BIN)/python -m pytest tests/slurm -m "slurm and not limits"

test-slurm-all: setup ## The same, and Slurm's limits of time and memory, preemption and a killed Snakemake
	@tests/slurm/install.sh || [ "$${CI:-}" != true ]
	@$(BIN)/python -m pytest tests/slurm -m slurm

parity-torch: setup $(PARITY)/.ready ## Compares with torch and writes tests/golden/torch and bert anew (.venv-parity)
	@$(PARITY)/bin/python tests/parity_torch/write_goldens.py tests/golden/torch
	@$(PARITY)/bin/python tests/parity_torch/write_bert_goldens.py tests/golden/bert --full $(PARITY)/full_size
	@$(BIN)/python -m pytest -q -rP --show-capture=stdout tests/golden/test_torch_parity.py tests/golden/test_bert_parity.py
	@$(BIN)/python tests/parity_torch/compare_full_size.py $(PARITY)/full_size

# --clear: an interrupted installation begins anew.
$(PARITY)/.ready: requirements-parity.txt | $(READY)
	@$(BIN)/python -m venv --clear $(PARITY)
	@$(PARITY)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

check: setup ## Style and workflow lint
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint > /dev/null

lock: ## Writes the lock files anew from requirements*.in (needs uv)
	@for name in requirements requirements-cuda; do \
	  uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate $$name.in -o $$name.txt; done

clean: ## Removes results and Snakemake's records
	@rm -rf results .snakemake
