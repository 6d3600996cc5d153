# The ways to build, try, test and measure Watchkeeper. On a bare Debian 12 with git, curl, a C compiler and Rust each of them does its own set-up.

CARGO ?= cargo
# One package selection in every command, so that no dependency is built twice with other features.
ALL = --workspace --locked
OUT = $${CARGO_TARGET_DIR:-target}

.PHONY: help build demo test corpus check setup fmt lint tree unit outside bench clean

help:
	@echo "make demo      a recorded day of a small shop, played in a temporary folder that is removed afterwards"
	@echo "make build     target/release/watchkeeper"
	@echo "make test      everything: format, lints, tests, and the tests that talk to Prometheus, Kafka, amtool and Chromium"
	@echo "make corpus    the tests over what others recorded: WATCHKEEPER_CORPUS=DIR make corpus"
	@echo "make check     format, lints and the dependency tree only"
	@echo "make bench     the figures of README.md, over real HTTP"
	@echo "make clean     removes target/ (the cache of Apache Kafka stays in ~/.cache/watchkeeper)"
	@echo
	@echo "Each of them installs what it needs from Debian (as root, or through sudo) and says before it does which packages, why, and how large."

build:
	@tests/setup build
	$(CARGO) build $(ALL) --release

demo:
	@tests/setup build
	@echo "building (a first time takes some minutes)"
	@$(CARGO) build $(ALL) --bin watchkeeper
	@$(OUT)/debug/watchkeeper demo

test: check unit outside
	@echo "corpus: not run, set WATCHKEEPER_CORPUS=DIR and make corpus"

# Bodies, topologies, rules and vectors that other people made. They lie in a folder beside the repository that not everybody has; fixtures of our own, which
# `make test` runs, cover the same ground.
corpus:
	@if [ ! -f "$${WATCHKEEPER_CORPUS:-}/MANIFEST.md" ]; then \
		echo "corpus: not run, there is no MANIFEST.md in WATCHKEEPER_CORPUS ($${WATCHKEEPER_CORPUS:-which is not set}); WATCHKEEPER_CORPUS=DIR make corpus" >&2; exit 1; fi
	@tests/setup build
	$(CARGO) test $(ALL) --test corpus

check: setup fmt lint tree

setup:
	@tests/setup test

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy $(ALL) --all-targets --test outside --test corpus -- -D warnings

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
