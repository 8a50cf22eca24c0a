PORT ?= 8501
ADDRESS ?= 127.0.0.1
PYTHON := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help env run test check format hostile fuzz conformance pictures bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "make run PORT=8600 serves on another port."

env: ## prepare the environment; .venv leads to it
	@scripts/environment

run: env ## serve Assay on http://127.0.0.1:8501
	@exec $(PYTHON) -m engine serve --port $(PORT) --address $(ADDRESS)

test: ## format, lint, types and all tests, the browser's too
	@scripts/environment dev
	@scripts/browser
	@$(MAKE) --no-print-directory check
	$(PYTHON) -m pytest -n 2 --dist loadfile --durations 15

check: ## format, lint and types only
	@scripts/environment dev
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

format: ## let ruff format and fix what it can
	@scripts/environment dev
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

hostile: ## every hostile file the whole way, not one a family (minutes)
	@scripts/environment dev
	$(PYTHON) -m pytest tests/hostile/test_corpus.py --whole

fuzz: ## damaged bytes for every parser, fifty times as many as in a test run (minutes)
	@scripts/environment dev
	ASSAY_FUZZ=3000 $(PYTHON) -m pytest tests/hostile/test_fuzz.py --timeout=7200

conformance: ## ONNX's own cases through the lowering to TensorFlow, counted (minutes)
	@scripts/environment dev
	$(PYTHON) -m tests.conformance

pictures: ## renew the README's pictures from the last test run
	@$(PYTHON) scripts/pictures

bench: ## our own speed and memory, figures printed
	@scripts/environment dev
	$(PYTHON) -m benchmarks

clean: ## remove caches and the link to the environment; never your data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/artifacts benchmarks/out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
