# `make help` lists the targets. Everything that is needed is installed by them, pinned, below this
# folder; only Rust, Python 3.11 or newer and Node.js 20 or newer must be there.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
# Tests and Lambdas are built for the same named target, as cargo-lambda does: so they share
# everything that is compiled.
export CARGO_BUILD_TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# One profile for all that runs on this machine; see Cargo.toml.
CARGO_TARGET_DIR ?= $(CURDIR)/target
LOCAL := $(CARGO_TARGET_DIR)/$(CARGO_BUILD_TARGET)/debug/formation-local

# Of `make deploy` and `make destroy`, which read them from their environment: no shell sees what is
# in PARAMETERS.
STACK ?= formation
ARCHITECTURE ?= arm64
REGION ?= $(AWS_REGION)
PARAMETERS ?=
export STACK ARCHITECTURE REGION PARAMETERS

.PHONY: help
help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: run
run: build ## Starts local AWS, deploys Formation to it and shows a function's life by the command; leaves it up
	@$(LOCAL) run

.PHONY: down
down: ## Ends the local AWS of `make run`
	@if [ -x $(LOCAL) ]; then $(LOCAL) down; else echo "nothing was built, so nothing is up"; fi

.PHONY: test
test: build ## Runs unit, wire-level and end-to-end tests, these on a local AWS of their own
	@# The binaries' own targets hold no tests, and each would have to be linked.
	cargo test --locked --workspace --lib --test bounds --test command --test it --test scripts --test stack --test wire
	cargo test --locked --workspace --doc

.PHONY: records
records: ## Writes the records that this release leaves in the table, for the next releases to read
	@# The other tests of records read them, and would see a folder half written.
	FORMATION_WRITE_RECORDS=1 cargo test --locked --workspace --lib what_this_release_writes_is_in_its_folder

.PHONY: test-unit
test-unit: tools ## Runs the tests that need no local AWS
	cargo test --locked --workspace --lib --test command --test wire

.PHONY: test-it
test-it: build ## Runs those end-to-end tests whose name contains FILTER
	cargo test --locked --workspace --test it -- $(FILTER)

.PHONY: test-faults
test-faults: build ## Runs the fault matrix: every call of every operation, failing in every way
	cargo test --locked --workspace --test faults

.PHONY: test-callers
test-callers: build ## Calls a function without pause while it is updated, fails, goes back
	cargo test --locked --workspace --test callers -- --nocapture

.PHONY: test-throttled
test-throttled: build ## Runs a hundred operations at once within AWS's rates
	cargo test --locked --workspace --test throttled -- --nocapture

.PHONY: test-api
test-api: build .venv/generator ## Tests the API against its own OpenAPI document, with schemathesis and a generated client
	cargo test --locked --workspace --test properties

.PHONY: test-ui
test-ui: build browser infra/node_modules ## Runs those tests of the pages of `formation ui`, in a real browser, whose name contains FILTER
	@! command -v chromedriver > /dev/null || cargo test --locked --workspace --test ui -- $(FILTER)

.PHONY: ui-pictures
ui-pictures: export FORMATION_PICTURES := $(CARGO_TARGET_DIR)/pictures
ui-pictures: test-ui ## Writes pictures of the pages of `formation ui`, and renews those of docs/pictures
	@for picture in docs/pictures/*.png; do cp "$$FORMATION_PICTURES/$${picture##*/}" "$$picture"; done
	@echo "wrote $$FORMATION_PICTURES"

.PHONY: browser
browser: ## Installs Chromium and its driver from Debian, where they are missing
	@infra/browser.sh

.PHONY: bench
bench: build ## Measures: pure parts with criterion, the command, then signed requests against local AWS
	cargo bench --locked --package formation-model
	cargo bench --locked --package formation-cli --bench speed
	cargo test --locked --workspace --test latency -- --nocapture

.PHONY: deploy
deploy: tools ## Deploys to AWS: STACK=formation REGION=eu-west-1 ARCHITECTURE=arm64 PARAMETERS="Name=value ..."
	@test -n "$(REGION)" || { echo "error: say where: make deploy REGION=eu-west-1"; exit 1; }
	@# cargo-lambda adds the Lambdas' target with it.
	@command -v rustup > /dev/null || { echo "error: rustup is missing: see https://rustup.rs"; exit 1; }
	env -u CARGO_BUILD_TARGET cargo lambda build --locked --release $(if $(filter arm64,$(ARCHITECTURE)),--arm64,--x86-64) \
		--package formation-api --package formation-events --package formation-steps --lambda-dir target/lambda
	infra/deploy.sh

.PHONY: destroy
destroy: tools ## Deletes a stack that nobody uses from AWS: STACK=formation REGION=eu-west-1
	@test -n "$(REGION)" || { echo "error: say where: make destroy REGION=eu-west-1"; exit 1; }
	infra/destroy.sh

.PHONY: lint
lint: tools infra/node_modules ## Checks formatting, clippy, docs, the scripts, the template and the state machine
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	shellcheck infra/*.sh action/*.sh
	cfn-lint infra/template.yaml examples/boundary.yaml
	@# The validator knows ARNs, not substitutions.
	infra/node_modules/.bin/asl-validator --json-path <(sed 's/$${Partition}/aws/' statemachine.asl.json)

.PHONY: docs
docs: ## Writes what of docs/ follows from code, the template and the state machine
	cargo xtask docs

.PHONY: build
build: tools ## Builds the Lambdas, the `formation` command and what starts local AWS
	@command -v cargo > /dev/null || { echo "error: cargo is missing: install Rust (https://rustup.rs)"; exit 1; }
	cargo lambda build --locked --workspace --exclude xtask --compiler cargo --lambda-dir target/lambda
	@# cargo-lambda moves every binary away, these too.
	@cargo build --quiet --locked --workspace --bin formation --bin formation-local
	@echo "built $(dir $(LOCAL))formation"

.PHONY: install
install: ## Installs the `formation` command, where `cargo install` does
	cargo install --locked --path crates/formation-cli

.PHONY: tools
tools: .venv/installed ## Installs the pinned tools into .venv

.venv/installed: infra/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed (PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement infra/requirements.txt
	@touch $@

.venv/generator: tests/properties/requirements.txt .venv/installed
	.venv/bin/python3 -m pip install --quiet --disable-pip-version-check --requirement tests/properties/requirements.txt
	@touch $@

infra/node_modules: infra/package-lock.json
	@command -v npm > /dev/null || { echo "error: npm is missing: install Node.js 20 or newer"; exit 1; }
	npm --prefix infra ci --silent
	@touch $@
