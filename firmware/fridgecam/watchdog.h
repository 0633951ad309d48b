// Restarts the board when a task that promised to report does not.
#pragma once

namespace watchdog {

void begin();
/// The calling task promises to feed.
void join();
/// It promises so no more: what it does next may take longer.
void leave();
/// The calling task has done something successfully.
void feed();

}  // namespace watchdog
