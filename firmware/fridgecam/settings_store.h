// Settings in the board's flash (NVS). The camera's key stands there in the clear: whoever holds the board has it.
#pragma once

#include "src/core/probes.h"
#include "src/core/settings.h"

namespace settings_store {

void begin();
void load(larder::Settings* settings);
/// True only when they stand in the flash and can be read again.
bool save(const larder::Settings& settings);
/// Forgets them; the count of starts stays, so that old datagrams stay old.
bool forget();

/// Counts this start, and returns its number from 1.
uint32_t count_boot();
/// How many quick starts in a row there were, to be set anew at each start.
uint8_t quick_starts();
bool set_quick_starts(uint8_t count);

/// Whether the network of this mark was ever joined.
bool was_joined(uint32_t mark);
bool set_joined(uint32_t mark);

/// The next start opens the portal. False when that could not be kept.
bool want_portal();
/// Whether this start should; asked once.
bool takes_portal();

void load_probes(larder::ProbeTable* table);
bool save_probes(const larder::ProbeTable& table);
bool forget_probes();

}  // namespace settings_store
