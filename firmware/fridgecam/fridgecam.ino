// FridgeCam: an ESP32-CAM (Ai Thinker) with DS18B20 thermometers that speaks Larder's camera link.
// Everything is in the files beside this one; ../README.md says how to flash and set it up.
#include "device.h"

void setup() { device::begin(); }

void loop() { device::tend(); }
