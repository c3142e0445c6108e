# The paths are compiled in (--launcher_dir, --webui_dir), so they are the final ones here, and
# DESTDIR comes with the install only. Nothing that a library could replace is asked for: Mesos
# is built with what it bundles, and the modules with the same.
mkdir "$BUILD/out"
cd "$BUILD/out"
# A relative name keeps the build's folder out of what is compiled. $SWITCHES are words.
# shellcheck disable=SC2086
../source/configure \
  --prefix=/usr \
  --libdir=/usr/lib64 \
  --libexecdir=/usr/libexec \
  --sysconfdir=/etc \
  --localstatedir=/var \
  --sharedstatedir=/var/lib \
  $SWITCHES
