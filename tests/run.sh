#!/bin/sh
# Runs all tests and ends with what was skipped, and with `N passed, N failed`.
set -u

log=$(mktemp)
skipped=${CARGO_TARGET_DIR:-target}/tmp/rings/skipped
rm -f "$skipped"
{ cargo test --workspace --no-fail-fast; echo $? >"$log.status"; } 2>&1 | tee "$log"
status=$(cat "$log.status")

# `test result: ok. 6 passed; 0 failed; ...`
passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
rm -f "$log" "$log.status"
if [ -s "$skipped" ]; then
    echo
    sort -u "$skipped"
fi
echo
echo "$passed passed, $failed failed"
# A test program that does not build fails no test.
[ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" != 0 ]
