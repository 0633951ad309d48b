// The Wi-Fi connection, and where the hub is.
#pragma once

#include "src/core/console.h"
#include "src/core/place.h"

namespace wlan {

void begin(const larder::Settings& settings);
bool is_up();
/// Keeps it up: connects anew, switches the radio off and on, restarts the board.
void tend();

/// The hub answered: the network works.
void heard();
/// Whether the network was joined with these settings, now or ever.
bool was_joined();

/// Adds everywhere where the hub may be, by its stored name or by mDNS. Waits for seconds, and for name servers that do
/// not answer up to 21 s.
void find_hub(const larder::Settings& settings, larder::Places* to);

}  // namespace wlan
