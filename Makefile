# Everything a newcomer needs is `make demo` and `make test`; both do their own set-up.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=
COVERAGE := build/atecc-coverage.json

.PHONY: demo test coverage bench lint help setup runtimes lock format

demo: setup runtimes ## one device gets its identity and proves it, on virtual hardware
	$(BIN)/hri demo

test: setup runtimes ## every test
	$(BIN)/python tools/apt_packages.py
	$(BIN)/python tools/libest.py
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart=0 --atecc-coverage=$(COVERAGE) $(PYTEST_ARGS)
	$(BIN)/python tools/atecc_coverage.py $(COVERAGE) --check

coverage: setup runtimes ## docs/atecc-coverage.md, from the tests that cover the chip's commands
	$(BIN)/python -m pytest -q --atecc-coverage=$(COVERAGE) tests/unit/rig_atecc tests/unit/firmware_atecc tests/conformance
	$(BIN)/python tools/atecc_coverage.py $(COVERAGE)

bench: setup runtimes ## measure; writes bench.json
	$(BIN)/python tools/bench.py --output bench.json

lint: setup ## ruff, mypy --strict on host/, the firmware against MicroPython's and CircuitPython's stubs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/check_firmware.py

format: setup ## rewrite the sources as lint wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: .venv/.installed ## install everything into .venv/

# A half-made .venv has no stamp, so the next run completes it.
.venv/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

runtimes: setup ## MicroPython for the virtual boards: cached, or built into build/
	$(BIN)/python -m hri.rig.runtimes

lock: ## pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile --quiet --no-header --no-emit-index-url --no-annotate --universal --python-version 3.11 \
		--generate-hashes --all-extras --group dev pyproject.toml -o requirements.lock

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
