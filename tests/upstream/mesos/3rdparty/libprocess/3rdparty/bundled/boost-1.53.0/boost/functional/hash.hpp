// A stand-in for boost's header of this name.
#ifndef BOOST_FUNCTIONAL_HASH_HPP
#define BOOST_FUNCTIONAL_HASH_HPP

#include <functional>

namespace boost {

template <typename T>
void hash_combine(std::size_t& seed, const T& value)
{
  seed ^= std::hash<T>()(value) + 0x9e3779b9 + (seed << 6) + (seed >> 2);
}

} // namespace boost {

#endif // BOOST_FUNCTIONAL_HASH_HPP
