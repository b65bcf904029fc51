// `mayfly`: the one command line.
#include <exception>
#include <string>
#include <vector>

#include "cli/command.h"
#include "common/last_words.h"

int main(int argc, char** argv) {
  mayfly::install_last_words();
  try {
    return mayfly::cli::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    return mayfly::cli::complain(error.what());
  }
}
