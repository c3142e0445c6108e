// A stand-in for boost's header of this name.
#ifndef BOOST_LEXICAL_CAST_HPP
#define BOOST_LEXICAL_CAST_HPP

#include <sstream>
#include <string>
#include <typeinfo>

namespace boost {

struct bad_lexical_cast : std::bad_cast {};

template <typename T>
T lexical_cast(const std::string& text)
{
  std::istringstream in(text);
  T value;
  if (!(in >> value) || !in.eof()) {
    throw bad_lexical_cast();
  }
  return value;
}

} // namespace boost {

#endif // BOOST_LEXICAL_CAST_HPP
