make -C "$BUILD/source/isolator" -j"$JOBS"
