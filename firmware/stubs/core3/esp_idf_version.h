// Stub: esp-idf 5.1.4, components/esp_common/include/esp_idf_version.h.
#pragma once

#define ESP_IDF_VERSION_MAJOR 5
