// Settings in the board's flash (NVS). The camera's key stands there in the clear: whoever holds the board has it.
#pragma once

#include "src/core/console.h"

namespace settings_store {

void begin();
void load(larder::Settings* settings);
bool save(const larder::Settings& settings);
/// Forgets them; the count of starts stays, so that old datagrams stay old.
void forget();
/// Counts this start, and returns its number from 1.
uint32_t count_boot();

}  // namespace settings_store
