// A Wi-Fi network of its own, with one page that asks for what the board needs to know. On a board that is set up it
// closes after ten minutes in which nobody asks for the page: the board restarts.
#pragma once

namespace portal {

void begin();
bool is_open();
void tend();

}  // namespace portal
