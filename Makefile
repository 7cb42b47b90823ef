# Needs Python >= 3.11 and make, nothing else. `uv` is fetched into .tools where there is none.
.PHONY: bench test test-slow lint gpu-check setup browser
.DEFAULT_GOAL := bench

PYTHON ?= python3
UV := $(or $(shell command -v uv),.tools/bin/uv)
BENCH := .venv/bin/bench

bench: .venv/run.stamp
	$(BENCH) run
	$(BENCH) report

test: .venv/dev.stamp browser
	.venv/bin/pytest

# What takes a minute each: compiling the towers; killing a matrix, and two processes that train together.
test-slow: .venv/dev.stamp
	.venv/bin/pytest -n 0 -m slow

lint: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

gpu-check: .venv/dev.stamp
	.venv/bin/python -m benchmarks.gpu_check

# Chromium for the tests of the page, where root and apt-get are at hand; elsewhere those tests are skipped.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "no Chromium and no way to install one: the tests of the page will be skipped"

setup: .venv/run.stamp

.venv/run.stamp: pyproject.toml | $(UV)
	$(UV) sync --quiet --inexact --no-default-groups --compile-bytecode
	@touch $@

.venv/dev.stamp: pyproject.toml | $(UV)
	$(UV) sync --quiet --compile-bytecode
	@touch $@ .venv/run.stamp

.tools/bin/uv:
	$(PYTHON) -m pip install --quiet --target .tools uv
