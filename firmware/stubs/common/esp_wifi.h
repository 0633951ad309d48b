// Stub: esp-idf 4.4 and 5.1, components/esp_wifi/include: esp_wifi_types.h (an older one was read at commit adfc06a;
// later ones add to the enumerations and to the end of the record), esp_wifi.h (declared as sketches use it).
#pragma once

#include <esp_err.h>
#include <stdint.h>

typedef enum { WIFI_MODE_NULL = 0, WIFI_MODE_STA, WIFI_MODE_AP, WIFI_MODE_APSTA } wifi_mode_t;
typedef enum { WIFI_FAST_SCAN = 0, WIFI_ALL_CHANNEL_SCAN } wifi_scan_method_t;
typedef enum { WIFI_CONNECT_AP_BY_SIGNAL = 0, WIFI_CONNECT_AP_BY_SECURITY } wifi_sort_method_t;
typedef enum { WIFI_PS_NONE, WIFI_PS_MIN_MODEM, WIFI_PS_MAX_MODEM } wifi_ps_type_t;

typedef struct {
    uint8_t bssid[6];
    uint8_t ssid[33];
    uint8_t primary;
    int second;
    int8_t rssi;
} wifi_ap_record_t;

extern "C" esp_err_t esp_wifi_sta_get_ap_info(wifi_ap_record_t* record);
