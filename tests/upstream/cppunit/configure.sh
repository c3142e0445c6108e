mkdir "$BUILD/out"
cd "$BUILD/out"
# A release archive can be built without writing into it. $SWITCHES are words.
# shellcheck disable=SC2086
"$SRC/configure" --prefix=/usr --libdir=/usr/lib64 $SWITCHES
# libtool writes /usr/lib64 into RPATH, where the dynamic linker looks anyway.
sed -i \
  -e 's|^hardcode_libdir_flag_spec=.*|hardcode_libdir_flag_spec=""|' \
  -e 's|^runpath_var=LD_RUN_PATH|runpath_var=DIE_RPATH_DIE|' libtool
