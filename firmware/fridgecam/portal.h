// A Wi-Fi network of its own, with one page that asks for what the board needs to know.
#pragma once

namespace portal {

void begin();
bool is_open();
void tend();

}  // namespace portal
