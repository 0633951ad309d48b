#include "check.h"

#include <stdio.h>

namespace check {

namespace {

Test* first = nullptr;
bool has_failed = false;
const char* now = "";

}  // namespace

Test::Test(const char* name, void (*run)()) : name(name), run(run), next(nullptr) {
    // In the order in which they stand.
    Test** end = &first;
    while (*end != nullptr) end = &(*end)->next;
    *end = this;
}

void fail(const char* file, int line, const char* what) {
    char text[256];
    snprintf(text, sizeof text, "  %s:%d: not so: %s\n", file, line, what);
    platform::print(text);
    has_failed = true;
}

void fail(const char* file, int line, const char* what, uint64_t found, uint64_t expected) {
    fail(file, line, what);
    char text[96];
    snprintf(text, sizeof text, "    found %ld, expected %ld\n", static_cast<long>(found), static_cast<long>(expected));
    platform::print(text);
}

const char* running() { return now; }

int run_all(const char* title) {
    int passed = 0, failed = 0;
    char text[256];
    for (const Test* test = first; test != nullptr; test = test->next) {
        has_failed = false;
        now = test->name;
        test->run();
        (has_failed ? failed : passed)++;
        if (!has_failed) continue;
        snprintf(text, sizeof text, "failed: %s\n", test->name);
        platform::print(text);
    }
    if (passed == 0) failed++;
    snprintf(text, sizeof text, "%s: %d passed, %d failed\n", title, passed, failed);
    platform::print(text);
    return failed;
}

}  // namespace check
