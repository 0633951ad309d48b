// A test runner without a library: the same tests run on the host and, without any C++ library, as Xtensa code.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// What differs between the host and the emulator: host.cpp, xtensa.cpp.
namespace platform {
void print(const char* text);
/// Bytes read, or -1.
long read_file(const char* path, uint8_t* to, size_t room);
}  // namespace platform

namespace check {

struct Test {
    Test(const char* name, void (*run)());
    const char* name;
    void (*run)();
    Test* next;
};

/// Fails the running test, and says where.
void fail(const char* file, int line, const char* what);
void fail(const char* file, int line, const char* what, uint64_t found, uint64_t expected);
/// The name of the test that runs now.
const char* running();
/// Runs all; the last line is "<title>: N passed, N failed". Returns how many failed.
int run_all(const char* title);

}  // namespace check

#define CHECK_JOIN2(one, other) one##other
#define CHECK_JOIN(one, other) CHECK_JOIN2(one, other)

/// A test; its name is a sentence.
#define TEST(name)                                                                               \
    static void CHECK_JOIN(test_, __LINE__)();                                                   \
    static check::Test CHECK_JOIN(case_, __LINE__)(name, CHECK_JOIN(test_, __LINE__));           \
    static void CHECK_JOIN(test_, __LINE__)()

#define CHECK(condition)                                                   \
    do {                                                                   \
        if (!(condition)) check::fail(__FILE__, __LINE__, #condition);     \
    } while (0)

/// Compares two numbers, or what casts to one.
#define CHECK_EQ(found, expected)                                                                             \
    do {                                                                                                      \
        const uint64_t found_ = static_cast<uint64_t>(found), expected_ = static_cast<uint64_t>(expected);    \
        if (found_ != expected_) check::fail(__FILE__, __LINE__, #found " is " #expected, found_, expected_); \
    } while (0)
