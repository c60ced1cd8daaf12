# Everything here runs in .venv, which is made and filled on the first call. PYTHON=... names the interpreter, and makes it anew
# where it was made with another.
.POSIX:
.SUFFIXES:
.PHONY: help demo test soak lint format bench peers fuzz autobahn clean

BIN = .venv/bin
ARGS =
# More than there are processors: many tests wait for a deadline or for PostgreSQL.
WORKERS = $$(( $$(getconf _NPROCESSORS_ONLN) + 2 ))
FUZZ_SECONDS = 60
SOAK_SECONDS = 600
SEEDS = 100000
RUNTIME = asyncio trio
CASES = *

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: ## serve a sample blog at http://127.0.0.1:8000/graphql (ARGS="--port 8001 --runtime trio")
	@.ci/venv demo
	@exec $(BIN)/python -m fraiseql demo $(ARGS)

test: lint ## lint, check the types and run all tests (ARGS="-k words")
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

soak: ## 100,000 simulated worlds, 20,000 clients, mutations while backends are killed (SEEDS=9 SOAK_SECONDS=3600 SEED=7)
	@.ci/venv dev
	@for runtime in loops threads; do \
		$(BIN)/python -m fraiseql.testing.simulation --runtime $$runtime --seeds $$(( ($(SEEDS) + 1) / 2 )) --seed "$(SEED)" || exit 1; \
	done
	@CROWD=10000 $(BIN)/python -m pytest -n 0 -s tests/runtimes/test_crowds.py
	@CHAOS_SECONDS=$(SOAK_SECONDS) CHAOS_SEED=$(SEED) $(BIN)/python -m pytest -n 0 -s tests/scenarios/test_no_lost_writes.py $(ARGS)

lint: ## ruff and mypy
	@.ci/venv dev
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

format: ## let ruff format the code and mend what it can
	@.ci/venv dev
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

bench: ## measure memory, start-up and requests (ARGS="--runs 3")
	@.ci/venv dev
	@$(BIN)/python -m benchmarks $(ARGS)

peers: ## FraiseQL, PostGraphile, Strawberry and raw ASGI on one PostgreSQL (ARGS="--python python3.13 --rounds 1")
	@.ci/venv dev
	@$(BIN)/python -m benchmarks.peers $(ARGS)

fuzz: ## fuzz the parsers for a minute (FUZZ_SECONDS=600)
	@.ci/venv fuzz
	@$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

autobahn: ## the Autobahn|Testsuite against examples/websocket_echo.py (RUNTIME=trio CASES="9.*" ARGS="--jobs 2")
	@.ci/venv dev
	@$(BIN)/python -m conformance.autobahn --cases "$(CASES)" $(ARGS) $(RUNTIME)

clean: ## remove .venv and all caches
	@rm -rf .venv .peers .autobahn tests/peers/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
