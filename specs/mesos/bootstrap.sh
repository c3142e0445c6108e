# Git has no configure script: it is made here, in a copy, since the source cannot be written to.
# Not by ./bootstrap, which is for a checkout: the RPM of 2015 too had to run autoreconf itself.
# autoreconf goes down to 3rdparty/libprocess and to stout on its own.
cp -a "$SRC" "$BUILD/source"
chmod -R u+w "$BUILD/source"
cd "$BUILD/source"
autoreconf --force --install --verbose
