// Stub: esp-idf 4.4.7, components/esp_common/include/esp_idf_version.h.
#pragma once

#define ESP_IDF_VERSION_MAJOR 4
