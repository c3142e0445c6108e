cd "$BUILD/out"
make -j"$JOBS"
# The tests, which `make check` would run here and now.
make -j"$JOBS" -C examples/cppunittest cppunittestmain
