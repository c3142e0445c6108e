#!/bin/sh
# The last step of making the image: what the packages' scriptlets would have done, as
# far as a build needs it, and the commands of builder/. It runs in the new root, as its root, with itself and builder/
# in /src/image. Each command names the package for whose scriptlet it stands; never run where this was written.
set -eu
ldconfig                                              # glibc
[ -e /usr/bin/ld ] || ln -s ld.bfd /usr/bin/ld        # binutils: alternatives
echo builder:x:1000:1000:builder:/tmp/home:/bin/sh >>/etc/passwd
echo builder:x:1000: >>/etc/group
cp -R /src/image/builder /usr/libexec/builder         # the builder's own from here on
for compiler in cc c++ gcc g++; do
    ln -s /usr/bin/ccache "/usr/libexec/builder/bin/$compiler"
done
chmod -R a+rX /usr/libexec/builder
gcc -dumpversion | grep -qx 4.8.5
