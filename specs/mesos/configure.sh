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
# libtool writes /usr/lib64 into RPATH, where the dynamic linker looks anyway.
find . -type f -name libtool -exec sed -i \
  -e 's|^hardcode_libdir_flag_spec=.*|hardcode_libdir_flag_spec=""|' \
  -e 's|^runpath_var=LD_RUN_PATH|runpath_var=DIE_RPATH_DIE|' {} +
