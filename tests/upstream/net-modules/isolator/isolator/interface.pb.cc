// Kept in the tree, as net-modules keeps the like at times: made by the protoc of whoever did so. A build
// that uses it uses code of another protobuf than libmesos.
#error "made by another protoc; it must be made again by the one that Mesos was built with"
