#!/bin/sh
# Installs the tools that the tests compare with, where it may: as root on Debian or EL. Elsewhere
# it says what is missing; the tests that need it are skipped, and named at the end.
set -eu

tools='rpm rpmbuild dnf createrepo_c firewall-offline-cmd gpg busybox cpio readelf gcc setcap unshare mount python3'
debian='rpm dnf createrepo-c firewalld gnupg busybox-static cpio binutils gcc libc6-dev libcap2-bin mount util-linux python3-pip'
el='rpm-build dnf createrepo_c firewalld gnupg2 busybox cpio binutils gcc glibc-devel libcap util-linux python3-pip'

missing() {
    for tool in $tools; do
        command -v "$tool" >/dev/null 2>&1 || printf ' %s' "$tool"
    done
}

absent=$(missing)
[ -n "$absent" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "not root, so not installed:$absent"
    echo "as root: $0"
elif command -v apt-get >/dev/null 2>&1; then
    echo "installing:$absent"
    log=$(mktemp)
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $debian; } \
        >"$log" 2>&1 || { tail -n 20 "$log"; echo "apt-get failed; the tests that need these tools are skipped"; }
    rm -f "$log"
elif command -v dnf >/dev/null 2>&1; then
    echo "installing:$absent"
    # shellcheck disable=SC2086
    dnf -y -q --setopt=strict=0 install $el || echo 'dnf failed; the tests that need these tools are skipped'
else
    echo "neither apt-get nor dnf is here, so not installed:$absent"
fi
