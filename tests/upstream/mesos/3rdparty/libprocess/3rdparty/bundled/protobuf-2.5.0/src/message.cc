#include "google/protobuf/message.h"

#include <cstdlib>
#include <iostream>

namespace google {
namespace protobuf {

Message::~Message() {}

int Message::VerifyVersion(int generated, const char* file)
{
  if (generated != GOOGLE_PROTOBUF_VERSION) {
    std::cerr << file << " was made for protobuf " << generated << ", this is "
              << GOOGLE_PROTOBUF_VERSION << std::endl;
    std::abort();
  }
  return generated;
}

} // namespace protobuf {
} // namespace google {
