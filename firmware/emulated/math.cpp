// What Debian's libgcc for the lx106 leaves out, because that chip has it in its ROM: multiplication and division.
// Bit by bit: only what runs in the emulator needs it.
#include <stdint.h>

extern "C" {

uint32_t __udivsi3(uint32_t number, uint32_t by);
uint32_t __umodsi3(uint32_t number, uint32_t by);
uint64_t __udivdi3(uint64_t number, uint64_t by);
uint64_t __umoddi3(uint64_t number, uint64_t by);
uint64_t __umulsidi3(uint32_t one, uint32_t other);

}

namespace {

/// The quotient; `number` becomes the rest.
template <typename Number>
Number divide(Number* number, Number by) {
    Number quotient = 0, bit = 1;
    if (by == 0) return 0;
    while (by < *number && static_cast<Number>(by << 1) > by) {
        by = static_cast<Number>(by << 1);
        bit = static_cast<Number>(bit << 1);
    }
    for (; bit != 0; bit = static_cast<Number>(bit >> 1), by = static_cast<Number>(by >> 1)) {
        if (*number < by) continue;
        *number = static_cast<Number>(*number - by);
        quotient = static_cast<Number>(quotient | bit);
    }
    return quotient;
}

}  // namespace

extern "C" {

uint32_t __udivsi3(uint32_t number, uint32_t by) { return divide(&number, by); }

uint32_t __umodsi3(uint32_t number, uint32_t by) {
    divide(&number, by);
    return number;
}

int32_t __divsi3(int32_t number, int32_t by) {
    const uint32_t sizes = __udivsi3(static_cast<uint32_t>(number < 0 ? -number : number),
                                     static_cast<uint32_t>(by < 0 ? -by : by));
    return static_cast<int32_t>((number < 0) != (by < 0) ? 0 - sizes : sizes);
}

uint64_t __udivdi3(uint64_t number, uint64_t by) { return divide(&number, by); }

uint64_t __umoddi3(uint64_t number, uint64_t by) {
    divide(&number, by);
    return number;
}

uint64_t __umulsidi3(uint32_t one, uint32_t other) {
    uint64_t sum = 0, shifted = one;
    for (; other != 0; other >>= 1, shifted <<= 1) {
        if ((other & 1) != 0) sum += shifted;
    }
    return sum;
}

uint64_t __muldi3(uint64_t one, uint64_t other) {
    uint64_t sum = 0;
    for (; other != 0; other >>= 1, one <<= 1) {
        if ((other & 1) != 0) sum += one;
    }
    return sum;
}

}
