// An HTTP server of one thread, enough for a health check.

#include <process/http.hpp>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace process {
namespace http {

static void check(bool good, const std::string& what)
{
  if (!good) {
    throw std::runtime_error(what + ": " + strerror(errno));
  }
}

static int listening(const std::string& ip, int port)
{
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(fd >= 0, "Failed to create a socket");
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));

  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error("Failed to parse the IP '" + ip + "'");
  }
  const std::string where = ip + ":" + std::to_string(port);
  check(bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) == 0,
        "Failed to bind on " + where);
  check(listen(fd, 16) == 0, "Failed to listen on " + where);
  return fd;
}

// The whole head, in however many packets it comes: a connection that is closed with something
// unread is reset, and the client may lose its answer.
static std::string head(int fd)
{
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < sizeof(buffer)) {
    const ssize_t length = recv(fd, buffer, sizeof(buffer), 0);
    if (length <= 0) {
      break;
    }
    request.append(buffer, length);
  }
  return request;
}

static void answer(int fd, const Handler& handler)
{
  // A client that says nothing must not keep the others waiting for ever.
  const struct timeval patience = {5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));

  const std::string request = head(fd);
  const size_t from = request.find(' ');
  const size_t to = from == std::string::npos ? from : request.find_first_of(" ?\r\n", from + 1);
  if (to == std::string::npos) {
    return;
  }
  const std::string body = handler(request.substr(from + 1, to - from - 1));
  const std::string response = std::string("HTTP/1.1 ") + (body.empty() ? "404 Not Found" : "200 OK") +
    "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
    std::to_string(body.size()) + "\r\n\r\n" + body;
  if (send(fd, response.data(), response.size(), MSG_NOSIGNAL) < 0) {
    return;
  }
}

void serve(const std::string& ip, int port, const Handler& handler)
{
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  check(sigprocmask(SIG_BLOCK, &ends, NULL) == 0, "Failed to block signals");
  const int signals = signalfd(-1, &ends, SFD_CLOEXEC);
  check(signals >= 0, "Failed to watch signals");
  const int listener = listening(ip, port);

  struct pollfd watched[] = {{signals, POLLIN, 0}, {listener, POLLIN, 0}};
  while (poll(watched, 2, -1) >= 0 || errno == EINTR) {
    if (watched[0].revents != 0) {
      break;
    }
    const int fd = watched[1].revents != 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd >= 0) {
      answer(fd, handler);
      close(fd);
    }
  }
  close(listener);
  close(signals);
}

} // namespace http {
} // namespace process {
