// The Wi-Fi connection, and where the hub is.
#pragma once

#include "src/core/console.h"

namespace wlan {

void begin(const larder::Settings& settings);
bool is_up();
/// Keeps it up.
void tend();

/// The hub's address, found by its stored name or by mDNS; false when it is not known now. May wait for seconds.
bool find_hub(const larder::Settings& settings, char host[64], uint16_t* port);

}  // namespace wlan
