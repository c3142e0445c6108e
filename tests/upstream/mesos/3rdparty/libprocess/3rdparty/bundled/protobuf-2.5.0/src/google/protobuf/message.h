// A stand-in for protobuf: what the code that protoc makes is built on.
#ifndef GOOGLE_PROTOBUF_MESSAGE_H
#define GOOGLE_PROTOBUF_MESSAGE_H

#include <string>

#define GOOGLE_PROTOBUF_VERSION 2005000

namespace google {
namespace protobuf {

class Message
{
public:
  virtual ~Message();
  virtual std::string GetTypeName() const = 0;

  /// Asked by generated code when it is loaded: ends the program if another library is in place.
  static int VerifyVersion(int generated, const char* file);
};

} // namespace protobuf {
} // namespace google {

#endif // GOOGLE_PROTOBUF_MESSAGE_H
