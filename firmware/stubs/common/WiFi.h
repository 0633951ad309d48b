// Stub for type checks.
#pragma once

#include <Arduino.h>

typedef enum { WL_IDLE_STATUS = 0, WL_CONNECTED = 3, WL_DISCONNECTED = 6 } wl_status_t;
typedef enum { WIFI_MODE_NULL = 0, WIFI_MODE_STA, WIFI_MODE_AP } wifi_mode_t;
#define WIFI_STA WIFI_MODE_STA
#define WIFI_AP WIFI_MODE_AP

class WiFiClass {
public:
    void persistent(bool on);
    bool mode(wifi_mode_t mode);
    bool setHostname(const char* name);
    bool setAutoReconnect(bool on);
    bool setSleep(bool on);
    wl_status_t begin(const char* ssid, const char* password = nullptr);
    wl_status_t status();
    bool reconnect();
    int8_t RSSI();
    bool softAP(const char* ssid, const char* password = nullptr);
    IPAddress softAPIP();
};
extern WiFiClass WiFi;
