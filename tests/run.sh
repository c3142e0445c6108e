#!/bin/sh
# Runs all tests and ends with what was skipped, and with `N passed, N failed`.
set -u

log=$(mktemp)
rings=${CARGO_TARGET_DIR:-target}/tmp/rings
skipped=$rings/skipped
rm -f "$skipped"
{ cargo test --workspace --no-fail-fast; echo $? >"$log.status"; } 2>&1 | tee "$log"
status=$(cat "$log.status")

# Image builds that tests have killed leave mounts, which would keep target/ from being removed.
if [ -d "$rings/podman" ]; then
    awk -v dir="$(cd "$rings/podman" && pwd -P)/" 'index($2, dir) == 1 { print $2 }' /proc/mounts |
        sort -r | while read -r mount; do umount "$mount" 2>/dev/null || :; done
fi

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
