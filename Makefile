# Targets explain themselves: `make help` prints the text behind `##`.

CARGO ?= cargo
RUST_LEAST := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

.DEFAULT_GOAL := help
.PHONY: help build test check clean tools

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

build: tools ## Build the program: target/release/proxmox-mcp
	$(CARGO) build --release --locked

test: tools ## Run all tests
	$(CARGO) test --locked

check: tools ## Check form and lints, without running anything
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings

clean: ## Remove what was built
	rm -rf target

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
