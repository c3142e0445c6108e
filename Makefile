# Short names for what `cargo xtask` does, as the deployment guide of 2015 knew them.

.PHONY: help rpm builder-rpm check test lint bench clean

help:
	@echo 'make rpm          signed RPMs in a signed yum repository: dist/el7'
	@echo 'make builder-rpm  the same, under its name of 2015'
	@echo 'make check        formatting, clippy, unit and snapshot tests: what to run while working'
	@echo 'make test         all tests; installs what they compare with, where it can'
	@echo 'make lint         formatting, clippy, licences and advisories of dependencies'
	@echo 'make bench        speed, as ratios against peers'
	@echo 'make clean        remove old results'
	@echo 'cargo xtask --help says the rest'

# `cargo xtask` prints nothing while it compiles, which takes minutes the first time.
rpm builder-rpm:
	@[ -e "$${CARGO_TARGET_DIR:-target}/debug/xtask" ] || cargo build --package xtask
	cargo xtask rpm

check:
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --lib --bins
	cargo test --workspace --doc
	cargo test --package layers

test:
	sh tests/install-tools.sh
	sh tests/run.sh

lint:
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	sh tests/deny.sh

bench:
	cargo xtask bench

clean:
	cargo xtask clean
