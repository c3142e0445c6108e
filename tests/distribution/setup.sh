#!/bin/sh
# The last step of making the root: what the packages' own scripts would have done, as far as a build needs it. Each command
# names the package for whose script it stands.
set -eu
cp /usr/share/base-passwd/passwd.master /etc/passwd     # base-passwd
cp /usr/share/base-passwd/group.master /etc/group       # base-passwd
cp /usr/share/libc-bin/nsswitch.conf /etc/nsswitch.conf # libc-bin
: >/etc/hosts                                            # no package: the installer
ln -s mawk /usr/bin/awk                                 # mawk: alternatives
ln -s gcc /usr/bin/cc                                   # gcc: alternatives
ln -s g++ /usr/bin/c++                                  # g++: alternatives
ln -s automake-1.16 /usr/bin/automake                   # automake: alternatives
ln -s aclocal-1.16 /usr/bin/aclocal                     # automake: alternatives
ln -s which.debianutils /usr/bin/which                  # debianutils: alternatives
# CentOS 7's linker looks there by itself; Debian has nothing in there.
echo /usr/lib64 >/etc/ld.so.conf.d/lib64.conf
ldconfig                                                # libc-bin
mkdir -p /usr/lib/distcc                                # distcc: update-distcc-symlinks
for compiler in cc c++ gcc g++; do
    ln -s ../../bin/distcc "/usr/lib/distcc/$compiler"
done
echo builder:x:1000:1000:builder:/tmp/home:/bin/sh >>/etc/passwd
echo builder:x:1000: >>/etc/group
cp -R /src/image/builder /usr/libexec/builder           # the builder's own from here on
for compiler in cc c++ gcc g++; do
    ln -s /usr/bin/ccache "/usr/libexec/builder/bin/$compiler"
done
chmod -R a+rX /usr/libexec/builder
