// The serial console: commands in, a report every 30 s out.
#pragma once

namespace console_task {

void begin();
void tend();
/// What is said of a line whose settings stand in the flash, and only of such a one.
extern const char kKept[];
/// Reads one line, as the console and the portal do; says what became of it. The text is fixed.
const char* enter(const char* line);

}  // namespace console_task
