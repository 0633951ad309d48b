// The vendor's side of the sketch in memory: what its files call is written down, and what they ask is answered. The
// declarations are the stubs'.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <Arduino.h>
#include <WiFi.h>

#include "../check.h"

namespace fake_board {

/// What was called, in order, with the arguments that matter.
extern std::vector<std::string> calls;
/// Where a call stands among them, or -1.
int place_of(const std::string& call, int from = 0);
int count_of(const std::string& call);

extern uint32_t time_ms;
extern int restarts;
/// What the Wi-Fi driver says of its access point.
extern bool is_associated;
/// By the core's event task.
void happen(arduino_event_id_t event);
/// The button IO0, pressed from one moment to another.
extern uint32_t pressed_ms, released_ms;
extern uint8_t reset_reason;

/// One hub's answer to an mDNS query; an address of four bytes or, for IPv6, of none.
struct Answer {
    uint16_t port;
    std::vector<std::vector<uint8_t>> addresses;
};
extern std::vector<Answer> answers;

/// The flash, by namespace and key; refuses to be written from the n-th write on (-1: never).
extern std::map<std::string, std::vector<uint8_t>> flash;
extern int writes_left;

}  // namespace fake_board
