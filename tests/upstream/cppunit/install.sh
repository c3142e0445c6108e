cd "$BUILD/out"
make install DESTDIR="$STAGE"
install -D -m 644 "$SRC/COPYING" "$STAGE/usr/share/licenses/cppunit/COPYING"

# By libtool, since what lies in examples/ is a script that starts the program in its build tree.
install -d -m 755 "$STAGE/usr/libexec/cppunit"
./libtool --mode=install install -m 755 examples/cppunittest/cppunittestmain \
  "$STAGE/usr/libexec/cppunit/cppunittestmain"
