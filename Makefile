# What a newcomer needs: make run, make test. Each does all of its own set-up, once.
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= config.yaml
ARGS := --config $(CONFIG) $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

.PHONY: run test lint bench humaneval setup lock help

help:
	@echo "make run     set up what is missing and start CodeEvolver (HOST=, PORT=, CONFIG=)"
	@echo "make test    set up what the tests need and run them"
	@echo "make lint    ruff and mypy --strict"
	@echo "make bench   ten everyday goals on the configured models"
	@echo "make humaneval   164 tasks, six arms; hours (BENCH='--arm ours --half a')"

run: setup
	@exec $(BIN)/python run.py $(ARGS)

test: $(VENV)/.ready-dev
	@sh scripts/sandbox.sh
	@sh scripts/chromium.sh $(BIN)/python
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	@mkdir -p bench/results
	@$(BIN)/python -m bench.everyday --out bench/results/everyday.json

humaneval: $(VENV)/.ready-dev
	@sh scripts/sandbox.sh
	@$(BIN)/python -m bench.humaneval --config $(CONFIG) $(BENCH)

# An environment whose Python is gone (after an upgrade) is made anew.
ifeq ($(wildcard $(BIN)/python),)
.PHONY: $(VENV)/.ready $(VENV)/.ready-dev
endif

setup: $(VENV)/.ready
	@sh scripts/sandbox.sh

$(VENV)/.ready: requirements.lock scripts/venv.sh
	@sh scripts/venv.sh $(VENV) requirements.lock
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock scripts/venv.sh
	@sh scripts/venv.sh $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.ready

# For maintainers: needs `pip install uv`.
lock:
	uv pip compile -q --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
		requirements.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
		requirements-dev.in -o requirements-dev.lock
