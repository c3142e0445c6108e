mkdir "$BUILD/out"
cd "$BUILD/out"
# A release archive can be built without writing into it. $SWITCHES are words.
# shellcheck disable=SC2086
"$SRC/configure" --prefix=/usr --libdir=/usr/lib64 $SWITCHES
