# In Mesos' build tree, as it was left: the libraries that Mesos bundles.
mesos=/build/mesos
bundled=$mesos/out/3rdparty/libprocess/3rdparty

# folder NAME FILE: the one folder NAME-VERSION that has the file. Not all versions are known for sure.
folder() {
  name=$1 file=$2
  set -- "$bundled/$name"-*/"$file"
  if [ $# -ne 1 ] || [ ! -e "$1" ]; then
    echo "net-modules: Mesos' build tree should have exactly one $bundled/$name-VERSION/$file." >&2
    echo "What there is:" >&2
    ls -d "$bundled/$name"* >&2 || true
    exit 1
  fi
  echo "${1%/"$file"}"
}
boost=$(folder boost boost/lexical_cast.hpp)
glog=$(folder glog src/glog/logging.h)
picojson=$(folder picojson picojson.h)
protobuf=$(folder protobuf src/protoc)

cd "$BUILD/source/isolator"
# configure looks for these headers with CPPFLAGS alone, whatever it is told of Mesos. Without
# PICOJSON_USE_INT64, as in libmesos, the module loads with undefined symbols. protoc and protobuf's
# headers are those of the build tree in this mode. Neither libmesos nor libglog is linked: the agent
# that loads the module has them.
CPPFLAGS="-isystem $boost -I$glog/src -I$picojson -I$protobuf/src"
CPPFLAGS="$CPPFLAGS -DPICOJSON_USE_INT64 -D__STDC_FORMAT_MACROS"
export CPPFLAGS
# Without option checking, configure only warns of a switch that it does not know.
# shellcheck disable=SC2086
./configure \
  --enable-option-checking=fatal \
  --prefix=/usr \
  --libdir=/usr/lib64 \
  --with-mesos-root="$mesos/source" \
  --with-mesos-build-dir="$mesos/out" \
  $SWITCHES
# libtool writes the folders of libraries into RPATH; the agent that loads the module has them.
sed -i \
  -e 's|^hardcode_libdir_flag_spec=.*|hardcode_libdir_flag_spec=""|' \
  -e 's|^runpath_var=LD_RUN_PATH|runpath_var=DIE_RPATH_DIE|' libtool
