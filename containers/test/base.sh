#!/bin/sh
# Makes the image that containers/test stands on: Debian 12 with the packages of the list beside
# this script, from the mirror that this machine's apt uses (or DEBIAN_MIRROR). Takes a minute or
# two, as root; does nothing if the image is there. ENGINE is podman unless given.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
engine=${ENGINE:-podman}
image=localhost/mesos-calico-test-base
suite=bookworm

inputs=$(cat "$here/packages" "$here/base.sh" | sha256sum | cut -d ' ' -f 1)
known=$("$engine" image inspect --format '{{index .Config.Labels "inputs"}}' "$image" 2>/dev/null) || :
[ "$known" != "$inputs" ] || exit 0

mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' |
    awk -v suite="$suite" '$1 == suite { print $2; exit }')}
if [ -z "$mirror" ]; then
    echo "this machine's apt has no $suite: set DEBIAN_MIRROR" >&2
    exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT INT TERM
chmod 755 "$root"
packages=$(grep -o '^[^#]*' "$here/packages" | tr -s ' \n' ',' | sed 's/^,//; s/,$//')
log=$root.log
debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
}
# Nothing of this machine, nothing that only installing needed.
rm -rf "$log" "$root"/etc/apt/sources.list "$root"/etc/resolv.conf "$root"/etc/hostname \
    "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
    "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
tar -C "$root" -c . | "$engine" import --change "LABEL=inputs=$inputs" - "$image" >/dev/null
