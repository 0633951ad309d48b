# Two commands for newcomers: `make run` and `make test`. The rest is for working on it; `make help` lists all.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Passed through to larderd by `make run`, for example ARGS="--set http.address=0.0.0.0:8081".
ARGS ?=
# Exported only when it is set, so that larderctl's own default holds otherwise.
ifdef LARDER_STATE
export LARDER_STATE
endif

WEB_INSTALLED := web/node_modules/.package-lock.json
WEB_BUILT := web/dist/index.html
WEB_SOURCES := $(shell find web proto/larder -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' \
	-not -path 'web/src/gen/*' -not -path 'web/e2e/*' 2>/dev/null)

.PHONY: help run test check build web fmt lint doc bench fuzz firmware-test moq-tree interface-baseline clean \
	tools-run tools-test tools-fuzz

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

run: tools-run $(WEB_BUILT) ## Try Larder: a hub with a simulated camera, until Ctrl-C
	cargo build --profile demo --locked -p larder-daemon -p larder-ctl --bins
	@exec $(TARGET)/demo/larderctl demo $(if $(strip $(ARGS)),-- $(ARGS))

test: tools-test ## Everything that must hold: formatting, lints, docs, licences, all tests
	@exec .ci/test all

check: tools-test ## What can be known without a hub, in minutes: formatting, lints, unit tests
	@exec .ci/test quick

build: $(WEB_BUILT) ## Build the release binaries with the web UI in them
	cargo build --release --locked -p larder-daemon -p larder-ctl --bins

web: $(WEB_BUILT) ## Build the web UI

fmt: $(WEB_INSTALLED) ## Format everything
	cargo fmt --all
	cd web && npm run --silent format

lint: $(WEB_INSTALLED) ## Lint everything
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	cd web && npm run --silent interface && npm run --silent lint && npm run --silent check

doc: ## Build the documentation of all modules
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --locked

bench: tools-run build ## Measure the hub on this machine (about sixteen minutes): see BENCHMARKS.md
	@$(TARGET)/release/larderctl bench fanout
	@$(TARGET)/release/larderctl bench ingest
	@$(TARGET)/release/larderctl bench playlist
	@$(TARGET)/release/larderctl bench deletion
	@$(TARGET)/release/larderctl bench temperatures
	@$(TARGET)/release/larderctl bench relay

fuzz: tools-fuzz ## Look for inputs that break a decoder, a minute for each; ARGS names some
	@exec proto/fuzz/run $(ARGS)

firmware-test: $(WEB_BUILT) ## The firmware's checks: on this machine, as Xtensa code, on lwIP, against the real hub
	@$(MAKE) --no-print-directory -C firmware BUILD=$(abspath $(TARGET))/firmware
	cargo build --workspace --all-features --locked
	@LARDERD=$(abspath $(TARGET))/debug/larderd LARDERCTL=$(abspath $(TARGET))/debug/larderctl \
		$(MAKE) --no-print-directory -C firmware BUILD=$(abspath $(TARGET))/firmware link

moq-tree: build ## Carry a camera over a tree of three stock moq-relays on this machine (builds moq-relay first)
	@command -v openssl >/dev/null || { echo "install openssl first" >&2; exit 1; }
	@test -x $(TARGET)/tools/bin/moq-relay || \
		cargo install moq-relay --version 0.17.10 --no-default-features --features noq --root $(TARGET)/tools
	cargo build --release --locked -p larder-daemon --example moq_watch
	@PATH="$(abspath $(TARGET))/tools/bin:$(abspath $(TARGET))/release:$(abspath $(TARGET))/release/examples:$$PATH" \
		docs/moq-tree

interface-baseline: $(WEB_INSTALLED) ## Take the gRPC interface of today as what later changes must not break
	cd web && npx buf build ../proto -o ../proto/baseline.binpb

clean: ## Remove what was built; recordings in ./var stay
	cargo clean
	rm -rf web/dist web/node_modules web/src/gen .venv

tools-run:
	@.ci/tools run

tools-test:
	@.ci/tools test

tools-fuzz:
	@.ci/tools fuzz

$(WEB_INSTALLED): web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

$(WEB_BUILT): $(WEB_INSTALLED) $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@
