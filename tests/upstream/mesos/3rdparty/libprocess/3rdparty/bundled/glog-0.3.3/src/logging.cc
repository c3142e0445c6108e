#include "glog/logging.h"

#include <ctime>
#include <fstream>
#include <iostream>

namespace google {

static std::ofstream log_file;

void InitGoogleLogging(const std::string& program, const std::string& directory)
{
  if (!directory.empty()) {
    log_file.open((directory + "/" + program + ".INFO").c_str(), std::ios::app);
    if (!log_file) {
      std::cerr << "cannot write logs into " << directory << std::endl;
    }
  }
}

LogMessage::LogMessage(const char* file, int line, char level)
{
  char now[32];
  std::time_t seconds = std::time(NULL);
  std::strftime(now, sizeof(now), "%m%d %H:%M:%S", std::localtime(&seconds));
  const std::string path(file);
  text << level << now << " " << path.substr(path.rfind('/') + 1) << ":" << line << "] ";
}

LogMessage::~LogMessage()
{
  std::cerr << text.str() << std::endl;
  if (log_file.is_open()) {
    log_file << text.str() << std::endl;
  }
}

} // namespace google {
