// The tests on the host.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

namespace {

// Many times what all of them take.
constexpr unsigned kMostSeconds = 50;

/// A test that hangs is named, and ends the run.
void stop(int) {
    const char* const parts[] = {"failed: out of time: ", check::running(), "\n"};
    for (const char* part : parts) {
        if (write(STDOUT_FILENO, part, strlen(part)) < 0) break;
    }
    _exit(1);
}

}  // namespace

int main(int count, char** words) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    signal(SIGALRM, stop);
    alarm(kMostSeconds);
    return check::run_all(count > 1 ? words[1] : "core") == 0 ? 0 : 1;
}
