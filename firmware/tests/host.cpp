// The tests on the host.
#include <stdio.h>

#include "check.h"

namespace platform {

void print(const char* text) { fputs(text, stdout); }

long read_file(const char* path, uint8_t* to, size_t room) {
    FILE* file = fopen(path, "rb");
    if (file == nullptr) return -1;
    const size_t count = fread(to, 1, room, file);
    fclose(file);
    return static_cast<long>(count);
}

}  // namespace platform

int main() { return check::run_all("core") == 0 ? 0 : 1; }
