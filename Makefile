# Everything a contributor types. `make` alone prints the list below.

# The first that runs. For 3.11 to 3.13 every pin has wheels; a newer one may do as well.
PYTHONS := python3.11 python3.12 python3.13 python3
PYTHON ?= $(shell for each in $(PYTHONS); do $$each -c '' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin

# The prompt reaches the shell through the environment, letter by letter: quotes,
# dollars and Chinese need no escaping.
PROMPT ?= a red circle on a white background
override PROMPT := $(value PROMPT)
export PROMPT

# Options of `make chaos`, such as CHAOS="--jobs 200 --kills 30 --database sqlite".
CHAOS ?= --jobs 10000 --kills 500

# Options of `make hostile`, such as HOSTILE="--requests 1000 --seed 7".
HOSTILE ?= --requests 10000 --schemathesis 500

.DEFAULT_GOAL := help
.PHONY: help setup install run test check format docs model migrate chaos hostile bench bench-engine bench-serve bench-gpu clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## Build .venv from constraints.txt (quick when up to date)

install: .venv/.worker ## The same with what a farm needs alone

# What a farm needs; and with it what tests, checks and benchmarks need.
.venv/.worker: EXTRAS := worker
.venv/.installed: EXTRAS := worker,bench,dev
.venv/.worker .venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Myriad needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$(EXTRAS)]'
	@touch .venv/.worker $@

run: .venv/.worker ## Start the farm and draw PROMPT="…"; MYRIAD_PORT chooses the port
	@$(BIN)/myriad up --prompt "$$PROMPT"

test: setup ## Run every test
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

check: setup ## Lint, formatting, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Rewrite the pages of docs/ that come from the code
	$(BIN)/python -m myriad.reference docs

model: setup ## Train the bundled model anew (hours; resumes)
	$(BIN)/python -m model.train
	$(BIN)/python -m model.companions

migrate: setup ## Bring the database up to date
	$(BIN)/myriad migrate

chaos: setup ## Kill 500 processes under 10,000 jobs and judge what became of each job
	$(BIN)/python -m tests.chaos $(CHAOS)

hostile: setup ## Send a front end 10,000 malformed requests, and Schemathesis 500 to each route
	$(BIN)/python -m tests.hostile $(HOSTILE)

bench: setup ## Measure the farm against the bare pipeline, side by side
	$(BIN)/python -m bench

bench-engine: setup ## Measure the engine against the stock pipeline and static batches
	$(BIN)/python -m bench.engine --out bench/results/engine.json

bench-serve: setup ## Measure the farm over HTTP against LitServe
	$(BIN)/python -m bench.serve

bench-gpu: setup ## Measure an NVIDIA GPU with random weights at the true configurations
	$(BIN)/python -m bench.gpu

clean: ## Remove .venv and every cache; pictures and jobs under .myriad stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
