#ifndef STOUT_OS_HPP
#define STOUT_OS_HPP

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace os {

/// What a file holds; throws std::runtime_error where it cannot be read.
inline std::string read(const std::string& path)
{
  std::ifstream in(path.c_str());
  std::stringstream out;
  out << in.rdbuf();
  if (!in) {
    throw std::runtime_error("Failed to read file '" + path + "'");
  }
  return out.str();
}

/// Makes a folder and those above it; throws std::runtime_error.
inline void mkdir(const std::string& path)
{
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    if (::mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) {
      throw std::runtime_error("Failed to mkdir '" + path + "': " + strerror(errno));
    }
  }
}

} // namespace os {

#endif // STOUT_OS_HPP
