cp -a "$SRC" "$BUILD/source"
chmod -R u+w "$BUILD/source"
cd "$BUILD/source/isolator"
# Code that some versions of protoc made is in the tree at times. Newer .proto files have it made
# again, by the protoc that Mesos was built with.
find . -name '*.proto' -exec touch {} +
./bootstrap
