// Stub: arduino-esp32, libraries/WiFi/src: WiFiGeneric.h (2.0: read at commit a8bf41f; 3.0: acf6c7b), WiFiSTA.h (3.0:
// acf6c7b), WiFiAP.h (0982989); the events of core 3 are in libraries/Network/src/NetworkEvents.h (77ce8e3), with other
// numbers. WiFiType.h is declared as sketches use it.
#pragma once

#include <Arduino.h>
#include <esp_wifi.h>

typedef enum { WL_IDLE_STATUS = 0, WL_CONNECTED = 3, WL_DISCONNECTED = 6 } wl_status_t;
#define WIFI_OFF WIFI_MODE_NULL
#define WIFI_STA WIFI_MODE_STA
#define WIFI_AP WIFI_MODE_AP

typedef enum {
    ARDUINO_EVENT_WIFI_READY = 0,
    ARDUINO_EVENT_WIFI_STA_START = 2,
    ARDUINO_EVENT_WIFI_STA_STOP,
    ARDUINO_EVENT_WIFI_STA_CONNECTED,
    ARDUINO_EVENT_WIFI_STA_DISCONNECTED,
    ARDUINO_EVENT_WIFI_STA_AUTHMODE_CHANGE,
    ARDUINO_EVENT_WIFI_STA_GOT_IP,
    ARDUINO_EVENT_WIFI_STA_GOT_IP6,
    ARDUINO_EVENT_WIFI_STA_LOST_IP,
    ARDUINO_EVENT_MAX = 40
} arduino_event_id_t;
typedef union {
    uint8_t raw[64];
} arduino_event_info_t;
typedef struct {
    arduino_event_id_t event_id;
    arduino_event_info_t event_info;
} arduino_event_t;
typedef void (*WiFiEventCb)(arduino_event_id_t event);
typedef std::function<void(arduino_event_id_t event, arduino_event_info_t info)> WiFiEventFuncCb;
typedef void (*WiFiEventSysCb)(arduino_event_t* event);
typedef size_t wifi_event_id_t;

class WiFiClass {
public:
    wifi_event_id_t onEvent(WiFiEventCb call, arduino_event_id_t event = ARDUINO_EVENT_MAX);
    wifi_event_id_t onEvent(WiFiEventFuncCb call, arduino_event_id_t event = ARDUINO_EVENT_MAX);
    wifi_event_id_t onEvent(WiFiEventSysCb call, arduino_event_id_t event = ARDUINO_EVENT_MAX);
    void persistent(bool on);
    static bool mode(wifi_mode_t mode);
    static bool setHostname(const char* name);
    bool setAutoReconnect(bool on);
    void setScanMethod(wifi_scan_method_t method);
    void setSortMethod(wifi_sort_method_t method);
    bool setSleep(bool on);
    bool setSleep(wifi_ps_type_t type);
    wl_status_t begin(const char* ssid, const char* passphrase = nullptr, int32_t channel = 0,
                      const uint8_t* bssid = nullptr, bool connect = true);
    bool disconnect(bool wifi_off = false, bool erase_ap = false);
    bool reconnect();
    int8_t RSSI();
    IPAddress localIP();
    IPAddress subnetMask();
    bool softAP(const char* ssid, const char* passphrase = nullptr, int channel = 1, int hidden = 0, int most = 4,
                bool ftm_responder = false);
    IPAddress softAPIP();
};
extern WiFiClass WiFi;
