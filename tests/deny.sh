#!/bin/sh
# Licences, sources and advisories of all dependencies, by cargo-deny if it is installed.
if command -v cargo-deny >/dev/null 2>&1; then
    exec cargo deny --all-features check
fi
echo 'cargo-deny is not installed (cargo install cargo-deny --locked): dependencies are not checked'
