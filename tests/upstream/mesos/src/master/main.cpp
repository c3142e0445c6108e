#include <iostream>
#include <stdexcept>

#include "master/master.hpp"
#include "version/version.hpp"

int main(int argc, char** argv)
{
  mesos::internal::master::Flags flags;
  try {
    flags.load(argc, argv);
    if (flags.is("help")) {
      std::cout << flags.usage("mesos-master");
    } else if (flags.is("version")) {
      std::cout << mesos::internal::version() << std::endl;
    } else {
      mesos::internal::master::run(flags);
    }
    return 0;
  } catch (const std::runtime_error& error) {
    std::cerr << error.what() << "\nSee `mesos-master --help`" << std::endl;
    return 1;
  }
}
