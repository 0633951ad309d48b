// The tests of the core as Xtensa code.
#include "../tests/check.h"
#include "system.h"

namespace platform {

void print(const char* text) { emulated::print(text); }

long read_file(const char* path, uint8_t* to, size_t room) { return emulated::read_file(path, to, room); }

}  // namespace platform

int emulated::run() { return check::run_all("xtensa") == 0 ? 0 : 1; }
