# Every habit is one word. Each sets up the virtual environment first, if it is not there or its requirements changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
CDK := examples/cdk/.venv
CHECKED := app.py chalicelib gatectl sandbox benchmarks tests .ci/lint_policies.py .ci/lint_structure.py

.PHONY: help demo sandbox board screenshots examples test long bench costs soak mutants lint format docs package clean

help:
	@echo "make demo     the whole story on this machine: two pipelines, a real deploy, a hold and its end (about a minute, after the set-up)"
	@echo "make sandbox  AWS on this machine, to play with from the AWS CLI"
	@echo "make board    the Board at http://127.0.0.1:8000: who waits for whom in your account, or in the sandbox after pasting its lines"
	@echo "make examples what the tests of examples/ need besides: the CDK, Terraform's parser (some 700 MB). Else they are skipped"
	@echo "make test     all tests but the long ones"
	@echo "make long     the long ones: the bugs that the simulation has to catch, history played twice"
	@echo "make bench    how fast and how cheap it is, beside a bare handler, the article's design and the throttle (about two minutes)"
	@echo "make costs    what 1,000 gated pipelines cost in a month, on paper"
	@echo "make soak     the simulation, until told to stop"
	@echo "make mutants  mutation testing of chalicelib (an hour or two)"
	@echo "make lint     style, types, layers, policies and the deployment template"
	@echo "make format   rewrite the code in the project's style"
	@echo "make docs     write anew what the documents' commands show"
	@echo "make screenshots  take the pictures of docs/board.md anew (wants Chromium)"
	@echo "make package  the deployment zip and its template, in build/package"
	@echo "make clean    remove what the others made"

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV), once: one to two minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt --editable .
	@touch $@

demo: $(READY)
	@$(BIN)/python -m sandbox.demo

sandbox: $(READY)
	@$(BIN)/python -m sandbox.server

board: $(READY)
	@$(BIN)/chalice local --no-autoreload

$(CDK)/ready: examples/cdk/requirements.txt
	$(PYTHON) -m venv $(CDK)
	$(CDK)/bin/pip install --quiet --disable-pip-version-check --no-compile --requirement $<
	@touch $@

examples: $(READY) $(CDK)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement tests/examples/requirements.txt

# One more at a time than there are cores: some tests only wait, for a demo or a page. Without compiled files each of
# these processes would compile the tests anew: five seconds each.
test: $(READY)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist worksteal -m "not long"

long: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m long

bench: $(READY)
	@$(BIN)/python -m benchmarks

costs: $(READY)
	@$(BIN)/python -m benchmarks.costs

soak: $(READY)
	@$(BIN)/python -m tests.simulation --soak

mutants: $(READY)
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

lint: $(READY) package
	$(BIN)/ruff check $(CHECKED) examples
	$(BIN)/ruff format --check $(CHECKED) examples
	$(BIN)/mypy $(CHECKED)
	$(BIN)/lint-imports --no-cache
	$(BIN)/python .ci/lint_structure.py
	$(BIN)/bandit --quiet --recursive app.py chalicelib gatectl sandbox --skip B404,B603,B105
	$(BIN)/python .ci/lint_policies.py
	$(BIN)/cfn-lint build/package/sam.json examples/cloudformation/pipelines.yaml

format: $(READY)
	$(BIN)/ruff check --fix $(CHECKED) examples
	$(BIN)/ruff format $(CHECKED) examples

docs: $(READY)
	$(BIN)/python -m tests.docs

screenshots: $(READY)
	@$(BIN)/python -m tests.board.screenshots

package: $(READY)
	AWS_DEFAULT_REGION=eu-west-1 $(BIN)/chalice package --stage dev build/package

clean:
	rm -rf $(VENV) $(CDK) examples/cdk/cdk.out build mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .chalice/deployments
