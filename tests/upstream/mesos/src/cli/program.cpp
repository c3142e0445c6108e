#include <iostream>

#include "common/programs.hpp"

int main(int, char** argv)
{
  std::cout << mesos::internal::describe(argv[0]) << std::endl;
  return 0;
}
