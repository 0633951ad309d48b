// The tests as Xtensa code without an operating system's library: the system calls of Linux that they need, for
// qemu-xtensa. Numbers from the kernel's arch/xtensa/kernel/syscalls/syscall.tbl.
#include <stddef.h>
#include <stdint.h>

#include "check.h"

namespace {

constexpr long kOpen = 8;
constexpr long kClose = 9;
constexpr long kRead = 12;
constexpr long kWrite = 13;
constexpr long kExitGroup = 119;

long call(long number, long one, long two, long three) {
    register long a2 __asm__("a2") = number;
    register long a6 __asm__("a6") = one;
    register long a3 __asm__("a3") = two;
    register long a4 __asm__("a4") = three;
    __asm__ volatile("syscall" : "+r"(a2) : "r"(a6), "r"(a3), "r"(a4) : "memory");
    return a2;
}

long address(const void* pointer) { return static_cast<long>(reinterpret_cast<intptr_t>(pointer)); }

}  // namespace

namespace platform {

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

}  // namespace platform

extern "C" {

// The tests register themselves from here to there. This object is the first to be linked, and the linker puts
// sections with a number after those without.
extern void (*const constructors_begin[])();
extern void (*const constructors_end[])();

[[noreturn]] void begin() {
    for (void (*const* at)() = constructors_end; at != constructors_begin;) (*--at)();
    const long failed = check::run_all("xtensa");
    for (;;) call(kExitGroup, failed == 0 ? 0 : 1, 0, 0);
}

[[noreturn]] void __cxa_pure_virtual() {
    for (;;) call(kExitGroup, 2, 0, 0);
}

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
