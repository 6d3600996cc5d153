# The ways to build, try, test and measure Watchkeeper. On a bare Debian 12 with git, curl, a C compiler and Rust each of them does its own set-up.

CARGO ?= cargo
# One package selection in every command, so that no dependency is built twice with other features.
ALL = --workspace --locked
OUT = $${CARGO_TARGET_DIR:-target}

.PHONY: help build demo test check setup fmt lint tree unit outside bench clean

help:
	@echo "make demo      a recorded day of a small shop in a temporary folder: nothing to install, nothing left behind"
	@echo "make build     target/release/watchkeeper"
	@echo "make test      everything: format, lints, tests, and the tests that talk to Prometheus, amtool and Chromium"
	@echo "make check     format, lints and the dependency tree only"
	@echo "make bench     the figures of README.md, over real HTTP"

build:
	@tests/setup build
	$(CARGO) build $(ALL) --release

demo:
	@tests/setup build
	@echo "building (a first time takes some minutes)"
	@$(CARGO) build $(ALL) --bin watchkeeper
	@$(OUT)/debug/watchkeeper demo

test: check unit outside

check: setup fmt lint tree

setup:
	@tests/setup test

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings

# One TLS provider in the whole tree: aws-lc. A second one would be chosen at run time by whoever asks first, or panic.
tree:
	@tests/one_tls_provider

unit:
	$(CARGO) test $(ALL)

# What needs an outside program, and the crash oracle. It fails where a program is missing; it never skips.
outside:
	@tests/setup test
	$(CARGO) test $(ALL) --test outside

bench:
	@tests/setup build
	$(CARGO) build $(ALL) --release
	$(OUT)/release/watchkeeper-load --daemon $(OUT)/release/watchkeeper

clean:
	$(CARGO) clean
