#ifndef STOUT_STRINGS_HPP
#define STOUT_STRINGS_HPP

#include <string>
#include <vector>

namespace strings {

inline bool startsWith(const std::string& text, const std::string& prefix)
{
  return text.compare(0, prefix.size(), prefix) == 0;
}

/// The parts between separators, without the empty ones.
inline std::vector<std::string> tokenize(const std::string& text, const std::string& separators)
{
  std::vector<std::string> out;
  for (size_t from = 0; (from = text.find_first_not_of(separators, from)) != std::string::npos;) {
    const size_t to = text.find_first_of(separators, from);
    out.push_back(text.substr(from, to - from));
    from = to == std::string::npos ? text.size() : to;
  }
  return out;
}

inline std::string trim(const std::string& text)
{
  const size_t from = text.find_first_not_of(" \t\r\n");
  const size_t to = text.find_last_not_of(" \t\r\n");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

} // namespace strings {

#endif // STOUT_STRINGS_HPP
