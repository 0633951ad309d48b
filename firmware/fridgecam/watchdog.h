// Restarts the board when a task that promised to report does not.
#pragma once

namespace watchdog {

void begin();
/// The calling task promises to feed.
void join();
/// The calling task has done something successfully.
void feed();

}  // namespace watchdog
