// Stub: arduino-esp32 3.0.4, cores/esp32/esp_arduino_version.h.
#pragma once

#define ESP_ARDUINO_VERSION_MAJOR 3
