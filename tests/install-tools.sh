#!/bin/sh
# Installs the tools that the tests compare with, where it may: as root on Debian or EL. Elsewhere
# it says what is missing; the tests that need it are skipped, and named at the end.
set -eu

tools='rpm rpmbuild dnf createrepo_c firewall-offline-cmd gpg busybox cpio readelf gcc setcap
    pkg-config etcd ip hostname unshare mount python3 faketime git tar podman runc
    newuidmap setpriv prlimit strace jsonschema'
debian='rpm dnf createrepo-c firewalld gnupg busybox-static cpio binutils gcc libc6-dev libcap2-bin
    pkgconf gdb etcd-server iproute2 hostname mount util-linux python3-pip faketime git tar podman
    runc debian-archive-keyring uidmap netavark iptables catatonit strace python3-jsonschema'
el='rpm-build dnf createrepo_c firewalld gnupg2 busybox cpio binutils gcc glibc-devel libcap
    pkgconf gdb etcd iproute hostname util-linux python3-pip libfaketime git tar podman runc
    shadow-utils strace python3-jsonschema'
# The tests call these by hand; nobody's machine is to get a firewall or a database by running tests.
services='firewalld etcd'

absent=
for tool in $tools; do
    command -v "$tool" >/dev/null 2>&1 || absent="$absent $tool"
done
[ -n "$absent" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "not root, so not installed:$absent"
    echo "as root: sh $0"
    exit 0
fi

new_services=
for service in $services; do
    [ -e "/lib/systemd/system/$service.service" ] || new_services="$new_services $service"
done
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
tidy() {
    if [ "${own_policy:-}" = yes ]; then rm -f "$policy"; fi
    if [ -d /run/systemd/system ]; then
        for service in $new_services; do systemctl disable --now "$service" >/dev/null 2>&1 || :; done
    fi
    rm -f "$log"
}
trap tidy EXIT

echo "installing:$absent"
# shellcheck disable=SC2086
if command -v apt-get >/dev/null 2>&1; then
    if [ ! -e "$policy" ]; then
        own_policy=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $debian; } >"$log" 2>&1 || {
        tail -n 20 "$log"
        echo 'apt-get failed; the tests that need these tools are skipped'
    }
elif command -v dnf >/dev/null 2>&1; then
    dnf -y -q --setopt=strict=0 install $el >"$log" 2>&1 || {
        tail -n 20 "$log"
        echo 'dnf failed; the tests that need these tools are skipped'
    }
else
    echo "neither apt-get nor dnf is here, so not installed:$absent"
fi
