// How long to wait before the hub is dialled again.
#pragma once

#include "wire.h"

namespace larder {

/// 0.5 s doubling to 30 s, with jitter; a minute after a refusal.
class Backoff {
public:
    Backoff() : next_ms_(kFirstMs) {}

    /// A session ended, or none came about. `welcomed_for_ms`: how long it stood after WELCOME, 0 if it never did.
    /// `random`: any number, for the jitter. Returns the wait.
    uint32_t after(Bye reason, uint32_t welcomed_for_ms, uint32_t random) {
        if (welcomed_for_ms >= kSteadyMs) next_ms_ = kFirstMs;
        if (is_refusal(reason)) return kRefusedMs + random % (kRefusedMs / 4);
        const uint32_t wait = next_ms_;
        next_ms_ = next_ms_ < kMostMs / 2 ? next_ms_ * 2 : kMostMs;
        // Three quarters of it to the whole: cameras that lost the same hub must not come back in step, and none waits
        // longer than was promised.
        return wait - random % (wait / 4 + 1);
    }

    static constexpr uint32_t kFirstMs = 500;
    static constexpr uint32_t kMostMs = 30000;
    static constexpr uint32_t kRefusedMs = 60000;
    static constexpr uint32_t kSteadyMs = 30000;

private:
    uint32_t next_ms_;
};

}  // namespace larder
