# Everything a newcomer needs is `make demo` and `make test`; both do their own set-up.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.venv/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.PHONY: setup lock
setup: .venv/.installed ## install everything into .venv/

lock: ## pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile --quiet --no-header --no-emit-index-url --no-annotate --universal --python-version 3.11 \
		--generate-hashes --all-extras --group dev pyproject.toml -o requirements.lock
