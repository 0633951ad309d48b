// Stub: arduino-esp32 2.0.17, cores/esp32/esp_arduino_version.h.
#pragma once

#define ESP_ARDUINO_VERSION_MAJOR 2
