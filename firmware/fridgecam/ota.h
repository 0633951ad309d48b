// New firmware: written into the other slot, and taken back unless a hub welcomes it within five minutes.
#pragma once

#include "src/core/update.h"

namespace ota {

void begin();
/// Goes back to the program before when the time is over.
void tend();
/// A hub has welcomed this program: it stays.
void confirm();

larder::UpdateSlot* slot();

}  // namespace ota
