make -C "$BUILD/out" install DESTDIR="$STAGE"

# The licences of what is linked in statically are in there, too.
install -D -m 644 "$SRC/LICENSE" "$STAGE/usr/share/licenses/mesos/LICENSE"
install -m 644 "$SRC/NOTICE" "$STAGE/usr/share/licenses/mesos/NOTICE"
