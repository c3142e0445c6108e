cd "$BUILD/source/isolator"

# `make install` would put it into /usr/lib64/mesos. The RPMs for Mesos 0.25 had it in
# /opt/net-modules, and so have the modules.json files of that time. -P keeps the link a link.
install -d -m 755 "$STAGE/opt/net-modules"
cp -P .libs/libmesos_network_isolator.so .libs/libmesos_network_isolator-*.so "$STAGE/opt/net-modules/"
if [ ! -e "$STAGE/opt/net-modules/libmesos_network_isolator.so" ]; then
  echo "net-modules: libmesos_network_isolator.so is a link to nothing" >&2
  exit 1
fi

# Upstream's terms are in the head of each file and nowhere else.
licence=$STAGE/usr/share/licenses/net-modules/NOTICE
install -d -m 755 "${licence%/*}"
awk '!/^[ \t]*(\/\*|\*|\/\/|$)/ { exit } { print }' isolator/network_isolator.cpp > "$licence"
chmod 644 "$licence"
if ! grep -q '[[:alnum:]]' "$licence"; then
  echo "The source states no terms." > "$licence"
fi
