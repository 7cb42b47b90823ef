# Needs Python >= 3.11 and make, nothing else. `uv` is fetched into .tools where there is none.
.PHONY: bench test lint gpu-check setup
.DEFAULT_GOAL := bench

PYTHON ?= python3
UV := $(or $(shell command -v uv),.tools/bin/uv)
BENCH := .venv/bin/bench

bench: .venv/run.stamp
	$(BENCH) run
	$(BENCH) report

test: .venv/dev.stamp
	.venv/bin/pytest

lint: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

gpu-check: .venv/dev.stamp
	.venv/bin/python -m benchmarks.gpu_check

setup: .venv/run.stamp

.venv/run.stamp: pyproject.toml | $(UV)
	$(UV) sync --quiet --inexact --no-default-groups --compile-bytecode
	@touch $@

.venv/dev.stamp: pyproject.toml | $(UV)
	$(UV) sync --quiet --compile-bytecode
	@touch $@ .venv/run.stamp

.tools/bin/uv:
	$(PYTHON) -m pip install --quiet --target .tools uv
