#include <iostream>
#include <stdexcept>

#include "slave/slave.hpp"
#include "version/version.hpp"

int main(int argc, char** argv)
{
  mesos::internal::slave::Flags flags;
  try {
    flags.load(argc, argv);
    if (flags.is("help")) {
      std::cout << flags.usage("mesos-slave");
    } else if (flags.is("version")) {
      std::cout << mesos::internal::version() << std::endl;
    } else {
      mesos::internal::slave::run(flags);
    }
    return 0;
  } catch (const std::runtime_error& error) {
    std::cerr << error.what() << "\nSee `mesos-slave --help`" << std::endl;
    return 1;
  }
}
