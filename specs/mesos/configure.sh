# The paths are compiled in (--launcher_dir, --webui_dir), so they are the final ones here, and
# DESTDIR comes with the install only. Nothing that a library could replace is asked for: Mesos
# is built with what it bundles, and the modules with the same.
mkdir "$BUILD/out"
cd "$BUILD/out"

# A configure script with others below it (AC_CONFIG_SUBDIRS) does not even warn of a switch that none of
# them knows. So each word of $SWITCHES has to be in the help of one of them. Some are in that of
# 3rdparty/libprocess alone.
../source/configure --help=recursive >../configure.help

# names: of options in a text, as configure compares them: `--disable-a.b` and `--enable-a-b=c` are `enable a_b`.
names() {
  sed -e 's/^ *--disable-/--enable-/' -e 's/^ *--without-/--with-/' |
    sed -n -e 's/^ *--\([ew][a-z]*\)-\([A-Za-z0-9_.+-]*\).*/\1 \2/p' | sed -e 's/[-.+]/_/g'
}
names <../configure.help >../configure.known
unknown=
for switch in $SWITCHES; do
  case $switch in
    --enable-* | --disable-* | --with-* | --without-*)
      printf '%s\n' "$switch" | names | grep -qxF -f ../configure.known || unknown="$unknown $switch"
      ;;
  esac
done
if [ -n "$unknown" ]; then
  grep -e '^ *--enable-' -e '^ *--disable-' -e '^ *--with-' -e '^ *--without-' ../configure.help >&2 || :
  echo "mesos: error: no configure script of the source knows$unknown (\`switches\` in package.toml); what they know is above" >&2
  exit 1
fi

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
