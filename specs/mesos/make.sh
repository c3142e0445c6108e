# Some files of Mesos take more than a gigabyte to compile. Where the kernel ends compilers for want
# of memory, the rest goes one by one; where something else is wrong, that is then the log's end.
cd "$BUILD/out"
make -j"$JOBS" || {
  echo "make -j$JOBS failed; going on with one job" >&2
  make
}
