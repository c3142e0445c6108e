#ifndef PROCESS_HTTP_HPP
#define PROCESS_HTTP_HPP

#include <functional>
#include <string>

namespace process {
namespace http {

/// Answers a path with a body; an empty one is 404.
typedef std::function<std::string(const std::string& path)> Handler;

/// Listens, and answers one request after the other until SIGTERM or SIGINT.
/// Throws std::runtime_error where it cannot listen.
void serve(const std::string& ip, int port, const Handler& handler);

} // namespace http {
} // namespace process {

#endif // PROCESS_HTTP_HPP
