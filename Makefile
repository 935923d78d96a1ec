# Targets explain themselves: `make help` prints the text behind `##`.

CARGO ?= cargo
PYTHON ?= python3
SOAK_CALLS ?= 100000
SOAK_S ?= 600
FUZZ_S ?= 3600
FUZZ_TARGETS ?=
MUTANTS_PARTS ?=
RUST_LEAST := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# Where cargo builds to, as it says itself.
TARGET = $(or $(CARGO_TARGET_DIR),target)
STATIC = $(abspath $(TARGET))/static
# What `--version` says, beside the number. Tags are left out: the number has that name already.
COMMIT = $(shell test -e .git && git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
HOST = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')

# What `make dist` packs, one binary for each architecture, and when it was made: the same input gives
# the same bytes. The names and addresses are known only to who publishes it; none is made up.
DIST_BINARIES ?= $(TARGET)/static/proxmox-mcp
DIST_TIME ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)
DIST_NAME ?=
DIST_URL ?=
DIST_REPOSITORY ?=
DIST_MAINTAINER ?=
DIST_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help build static static-twice bench soak fuzz faults mutants deep dist demo test check accept clean tools python

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 15

build: tools ## Build the program: target/release/proxmox-mcp
	PROXMOX_MCP_COMMIT=$(COMMIT) PROXMOX_MCP_TARGET=$(HOST) $(CARGO) build --release --locked

static: tools ## Build the program that needs nothing beside it, and prove that: target/static/proxmox-mcp
	@PROXMOX_MCP_COMMIT=$(COMMIT) CARGO=$(CARGO) tests/static/build '$(STATIC)'
	$(CARGO) build --locked --example dev
	@$(TARGET)/debug/examples/dev proof '$(STATIC)/proxmox-mcp'

static-twice: static ## Build that again elsewhere, and compare the bytes
	@PROXMOX_MCP_COMMIT=$(COMMIT) CARGO=$(CARGO) tests/static/twice '$(STATIC)'

bench: static ## Measure it: time, memory, bytes (COMPARE=PROGRAM: by turns with an older one)
	$(CARGO) build --locked --example dev
	@$(TARGET)/debug/examples/dev bench '$(STATIC)/proxmox-mcp' $(if $(COMPARE),--compare '$(COMPARE)')

# For a short look: SOAK_CALLS=5000 SOAK_S=30.
soak: static ## Drive 100,000 mixed calls with faults: what it holds must not grow
	$(CARGO) build --locked --example dev
	@$(TARGET)/debug/examples/dev soak '$(STATIC)/proxmox-mcp' $(SOAK_CALLS) $(SOAK_S)

# All targets share the time; FUZZ_TARGETS=query is for one alone.
fuzz: tools ## Fuzz whatever reads bytes of strangers, for an hour (FUZZ_S=60: a minute)
	@CARGO=$(CARGO) tests/fuzz/run $(FUZZ_S) $(FUZZ_TARGETS)

# The same build as of the tests, so that the two together take the shorter time.
demo: tools ## Show a session with three simulated clusters, and check it
	$(CARGO) build --locked --bin proxmox-mcp --example dev
	@$(TARGET)/debug/examples/dev demo

# FAULTS_SAMPLE=8: one of eight cells, by SEED, which is printed.
faults: tools ## Call every tool under every fault of simulated clusters, and print the table
	$(CARGO) build --locked --example dev
	@$(TARGET)/debug/examples/dev faults

# Whole it takes about an hour: MUTANTS_SAMPLE=4 breaks four places of each part, by SEED, which is printed;
# MUTANTS_S=3600 ends it after an hour; MUTANTS_PARTS='reload protect' is for these alone.
mutants: tools ## Break the program in many places, one at a time: does a test notice?
	@tests/mutants/run $(MUTANTS_PARTS)

deep: ## All that `.ci/run` does, and whole what it does by samples: hours
	@DEEP=1 .ci/run

test: tools ## Run all tests
	$(CARGO) test --locked

check: tools ## Check form and lints, without running anything
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings

accept: tools python ## Drive the program with real clients: the Python SDK, mcpo
	$(CARGO) build --locked --bin proxmox-mcp --example dev
	@$(PYTHON) tests/clients/accept.py $(TARGET)/debug

dist: tools ## Pack what was built: tarball, .deb, .mcpb, server.json, SHA256SUMS
	@$(CARGO) run --locked --quiet --example dev -- dist --out $(TARGET)/dist --time $(DIST_TIME) \
	  $(foreach binary,$(DIST_BINARIES),--binary $(binary)) \
	  $(if $(DIST_NAME),--name '$(DIST_NAME)') \
	  $(if $(DIST_URL),--url '$(DIST_URL)') \
	  $(if $(DIST_REPOSITORY),--repository '$(DIST_REPOSITORY)') \
	  $(if $(DIST_MAINTAINER),--maintainer '$(DIST_MAINTAINER)') $(DIST_FLAGS)

clean: ## Remove what was built
	$(CARGO) clean

# What a build needs, named with the command that installs it. The C compiler is for ring.
tools:
	@command -v $(CARGO) >/dev/null || { \
	  echo "cargo is missing (Rust $(RUST_LEAST) or later); install it, as by"; \
	  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"; exit 1; } >&2
	@has=$$($(CARGO) --version | cut -d' ' -f2); \
	least=$$(printf '%s\n' "$(RUST_LEAST)" "$$has" | sort -V | head -n 1); \
	[ "$$least" = "$(RUST_LEAST)" ] || { \
	  echo "cargo $$has is too old: Rust $(RUST_LEAST) or later is needed; update it, as by"; \
	  echo "  rustup update stable"; exit 1; } >&2
	@command -v cc >/dev/null || { \
	  echo "a C compiler (cc) is missing; install one, as by"; \
	  echo "  apt install gcc libc6-dev"; exit 1; } >&2

python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is missing; install it, as by"; \
	  echo "  apt install python3 python3-venv"; exit 1; } >&2
