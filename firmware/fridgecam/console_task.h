// The serial console: commands in, a report every 30 s out.
#pragma once

namespace console_task {

void begin();
void tend();
/// Reads one line, as the console and the portal do; says what became of it. The text is fixed.
const char* enter(const char* line);

}  // namespace console_task
