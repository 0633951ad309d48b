// The system calls of Linux for Xtensa code in qemu-xtensa, which has no library that makes them. Numbers from the
// kernel's arch/xtensa/kernel/syscalls/syscall.tbl.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace emulated {

constexpr long kOpen = 8;
constexpr long kClose = 9;
constexpr long kRead = 12;
constexpr long kWrite = 13;
constexpr long kPoll = 16;
constexpr long kSocket = 96;
constexpr long kConnect = 101;
constexpr long kExitGroup = 119;
constexpr long kTimeOfDay = 192;
constexpr long kGetRandom = 338;

inline long call(long number, long one, long two, long three) {
    register long a2 __asm__("a2") = number;
    register long a6 __asm__("a6") = one;
    register long a3 __asm__("a3") = two;
    register long a4 __asm__("a4") = three;
    __asm__ volatile("syscall" : "+r"(a2) : "r"(a6), "r"(a3), "r"(a4) : "memory");
    return a2;
}

inline long address(const void* pointer) { return static_cast<long>(reinterpret_cast<intptr_t>(pointer)); }

[[noreturn]] inline void exit(int code) {
    for (;;) call(kExitGroup, code, 0, 0);
}

void print(const char* text);
/// Bytes read, or -1.
long read_file(const char* path, uint8_t* to, size_t room);

/// The program; returns its exit code.
int run();

}  // namespace emulated
