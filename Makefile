# The ways to build, try, test and measure Watchkeeper. On a bare Debian 12 with git, curl, a C compiler and Rust each of them does its own set-up.

CARGO ?= cargo
# One package selection in every command, so that no dependency is built twice with other features.
ALL = --workspace --locked

.PHONY: help build test check setup fmt lint tree unit clean

help:
	@echo "make build     target/release/watchkeeper"
	@echo "make test      everything: format, lints, dependency tree, tests"
	@echo "make check     format, lints and the dependency tree only"

build:
	@tests/setup build
	$(CARGO) build $(ALL) --release

test: check unit

check: setup fmt lint tree

setup:
	@tests/setup build

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings

# One TLS provider in the whole tree: aws-lc. A second one would be chosen at run time by whoever asks first, or panic.
tree:
	@tests/one_tls_provider

unit:
	$(CARGO) test $(ALL)

clean:
	$(CARGO) clean
