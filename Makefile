# Each target first creates the virtual environment if it does not exist or its requirements changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
CDK := examples/cdk/.venv
SITE := build/site-venv
CHECKED := app.py chalicelib gatectl sandbox benchmarks tests .ci/lint_policies.py .ci/lint_structure.py .ci/lint_prose.py

.PHONY: help demo sandbox board screenshots examples test long bench costs soak mutants lint format docs docs-site package clean

help:
	@echo "make demo        the whole story on this machine in about a minute: two pipelines, a deployment, a hold and its end"
	@echo "make sandbox     AWS on this machine, to experiment with (docs/tutorial.md, docs/sandbox.md)"
	@echo "make board       the Board at http://127.0.0.1:8000, for your account or the sandbox"
	@echo "make test        all tests except the long ones"
	@echo "make long        the long tests: the bugs that the simulation has to catch, history played twice"
	@echo "make examples    install what the tests of examples/ need (the CDK and a Terraform parser, about 700 MB)"
	@echo "make lint        style, types, layers, prose, policies and the deployment template"
	@echo "make format      rewrite the code in the project's style"
	@echo "make docs        rewrite what the documents' commands print"
	@echo "make docs-site   build the documentation site in build/site"
	@echo "make screenshots take the pictures of docs/board.md again (needs Chromium)"
	@echo "make bench       measure speed and cost next to a bare handler and the article's design (five to eight minutes)"
	@echo "make costs       what 1,000 gated pipelines cost per month"
	@echo "make soak        run the simulation until Ctrl-C"
	@echo "make mutants     mutation testing of chalicelib (one to two hours)"
	@echo "make package     build the deployment zip and its template in build/package"
	@echo "make clean       remove everything that the other targets created"

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required. To use another one: make PYTHON=python3.12 ...")'
	@echo "Creating $(VENV), which takes one to two minutes"
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

# One process more than there are cores, because some tests only wait for a demo or a page. Without compiled files, each
# process would compile the tests again, which takes five seconds.
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
	$(BIN)/python .ci/lint_prose.py
	$(BIN)/bandit --quiet --recursive app.py chalicelib gatectl sandbox --skip B404,B603,B105
	$(BIN)/python .ci/lint_policies.py
	$(BIN)/cfn-lint build/package/sam.json examples/cloudformation/pipelines.yaml

format: $(READY)
	$(BIN)/ruff check --fix $(CHECKED) examples
	$(BIN)/ruff format $(CHECKED) examples

docs: $(READY)
	$(BIN)/python -m tests.docs

# mkdocs has a virtual environment of its own, because it brings watchdog, with which `chalice local` restarts forever.
$(SITE)/ready: docs/requirements.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# The site keeps the folders as they are, so the links between pages work in both.
docs-site: $(SITE)/ready
	@rm -rf build/docs && mkdir -p build/docs
	@git ls-files -z '*.md' docs/images examples | xargs -0 cp --parents --target-directory build/docs
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --quiet
	@echo "To read it: $(PYTHON) -m http.server --bind 127.0.0.1 --directory build/site"

screenshots: $(READY)
	@$(BIN)/python -m tests.board.screenshots

package: $(READY)
	AWS_DEFAULT_REGION=eu-west-1 $(BIN)/chalice package --stage dev --merge-template .chalice/merge-names.json build/package

clean:
	rm -rf $(VENV) $(CDK) examples/cdk/cdk.out build mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .chalice/deployments
