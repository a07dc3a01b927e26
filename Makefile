# Thin verbs; `make` alone prints them. Each installs what it needs into .venv, once.
#
#   PYTHON=python3.13   the interpreter that .venv is made of, 3.11 or newer
#   ARGS='…'            more arguments for demo, test, soak and bench

# Python keeps what it compiled, ours and the tests' asserts, so that no process compiles it again.
unexport PYTHONDONTWRITEBYTECODE

# An editable installation keeps its path in the encoding of the locale: with LC_ALL=C one of other
# letters than ASCII's cannot be read again.
export LC_ALL := C.UTF-8

.DEFAULT_GOAL := help
.PHONY: help install demo test soak limits check bench lag lock build clean

PYTHON ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOG := $(VENV)/install.log

IS_GOOD := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)

help: ## Print these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Install everything into .venv

demo: $(STAMP) ## Try it: a gateway, stand-ins for the providers, requests to paste
	@exec $(BIN)/python -m vidgate demo $(ARGS)

test: $(STAMP) ## Run the tests
	@exec $(BIN)/python -m pytest $(ARGS)

# A storm over real processes, which prints its seed; SEED=… draws the same one again.
soak: $(STAMP) ## Let processes, PostgreSQL and providers fail for MINUTES=30
	@VIDGATE_SOAK_MINUTES=$(or $(MINUTES),30) VIDGATE_SOAK_SEED=$(SEED) \
		exec $(BIN)/python -m pytest tests/faults/test_faults.py --capture=tee-sys $(ARGS)

limits: $(STAMP) ## Let 16 clients of two gateways ask for more than they may, for SECONDS=60
	@VIDGATE_LIMITS_SECONDS=$(or $(SECONDS),60) \
		exec $(BIN)/python -m pytest tests/processes/test_limits.py $(ARGS)

check: $(STAMP) ## Check format, lint, types and imports
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## Measure requests a second, and how soon clients hear of an end
	@$(BIN)/python bench/run.py $(ARGS)
	@exec $(BIN)/python bench/news.py

lag: $(STAMP) ## Measure how late 5,000 jobs at one slow channel are known to be done
	@exec $(BIN)/python bench/lag.py $(ARGS)

# Without index URLs, and for every system and Python.
lock: $(STAMP) ## Pin the newest versions in requirements.lock
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(PIP) --quiet install uv
	@$(BIN)/python -m uv pip compile --quiet \
		--universal --python-version 3.11 --fork-strategy fewest --upgrade \
		--all-extras --group dev --generate-hashes --no-annotate \
		--no-emit-package pip --no-emit-package pip-tools \
		--no-emit-package setuptools --no-emit-package wheel \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

build: $(STAMP) ## Build the wheel and the source archive into dist
	$(BIN)/python -m build --no-isolation

clean: ## Remove .venv, caches and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench migrations -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		python=; \
		for candidate in $(CANDIDATES); do \
			if "$$candidate" -c '$(IS_GOOD)' >/dev/null 2>&1; then python=$$candidate; break; fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "vidgate needs Python 3.11 or newer with its venv module (Debian and Ubuntu: python3-venv); name one with: make PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		"$$python" -m venv --clear $(VENV); \
	fi
	@total=$$(grep -c '==' requirements.lock); count=0; code=1; : >$(LOG); \
	echo "Installing into $(VENV), this once: up to $$total packages, 130 MB to download, 600 MB on disk." >&2; \
	{ $(PIP) install --require-hashes --requirement requirements.lock 2>&1; echo "exit $$?"; } \
	| { while IFS= read -r line; do \
		case $$line in \
			'exit '*) code=$${line#exit }; continue ;; \
			Collecting*) count=$$((count + 1)); news="$$count of $$total: $${line#Collecting }" ;; \
			Installing*) news="unpacking what was downloaded" ;; \
			*) news= ;; \
		esac; \
		printf '%s\n' "$$line" >>$(LOG); \
		if [ -n "$$news" ] && [ -t 2 ]; then printf '\r\033[K  %.70s' "$${news%% (from*}" >&2; fi; \
	done; \
	if [ -t 2 ]; then printf '\r\033[K' >&2; fi; \
	if [ "$$code" != 0 ]; then tail -n 12 $(LOG) >&2; echo "That failed; $(LOG) has all of it." >&2; fi; \
	exit $$code; }
	@$(PIP) --quiet install --no-deps --no-build-isolation --editable .
	@touch $@
