#include "system.h"

namespace emulated {

void print(const char* text) {
    size_t count = 0;
    while (text[count] != 0) count++;
    call(kWrite, 1, address(text), static_cast<long>(count));
}

long read_file(const char* path, uint8_t* to, size_t room) {
    const long file = call(kOpen, address(path), 0, 0);
    if (file < 0) return -1;
    size_t count = 0;
    long came;
    while ((came = call(kRead, file, address(to + count), static_cast<long>(room - count))) > 0) {
        count += static_cast<size_t>(came);
    }
    call(kClose, file, 0, 0);
    return static_cast<long>(count);
}

}  // namespace emulated

extern "C" {

// Constructors stand between these. This object is the first to be linked, and the linker puts sections with a number
// after those without.
extern void (*const constructors_begin[])();
extern void (*const constructors_end[])();

[[noreturn]] void begin() {
    for (void (*const* at)() = constructors_end; at != constructors_begin;) (*--at)();
    emulated::exit(emulated::run());
}

[[noreturn]] void __cxa_pure_virtual() { emulated::exit(3); }

}

// Virtual destructors name it; nothing is ever allocated.
void operator delete(void*, unsigned int) noexcept {}
void operator delete(void*) noexcept {}

__asm__(
    ".section .ctors, \"aw\"\n"
    ".global constructors_begin\n"
    "constructors_begin:\n"
    ".section .ctors.65535, \"aw\"\n"
    ".global constructors_end\n"
    "constructors_end:\n"
    ".text\n"
    ".global _start\n"
    ".align 4\n"
    "_start:\n"
    "    movi a0, 0\n"
    "    movi a3, -16\n"
    "    and a1, a1, a3\n"
    "    j begin\n");
