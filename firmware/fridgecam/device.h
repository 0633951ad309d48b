// The whole device: its tasks, and the order in which it starts.
#pragma once

namespace device {

/// Starts everything; returns when the tasks run.
void begin();

/// What remains for the Arduino's own task: console, portal, lamp. Call again and again.
void tend();

}  // namespace device
