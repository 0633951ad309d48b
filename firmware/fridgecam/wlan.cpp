#include "wlan.h"

#include <Arduino.h>
#include <ESPmDNS.h>
#include <WiFi.h>
#include <esp_wifi.h>
#include <mdns.h>
#include <string.h>

#include "settings_store.h"
#include "src/core/lockout.h"
#include "src/core/radio.h"
#include "src/core/tcp.h"

namespace wlan {

namespace {

constexpr uint32_t kQueryMs = 3000;
constexpr uint32_t kOffMs = 500;

larder::Radio radio;
const larder::Settings* network;
bool is_joined;
char name[16];

/// By the core's event task.
void saw(arduino_event_id_t event) {
    switch (event) {
        case ARDUINO_EVENT_WIFI_STA_GOT_IP: radio.got_address(); break;
        case ARDUINO_EVENT_WIFI_STA_DISCONNECTED:
        case ARDUINO_EVENT_WIFI_STA_LOST_IP:
        case ARDUINO_EVENT_WIFI_STA_STOP: radio.lost(); break;
        default: break;
    }
}

void connect() {
    // Before the mode: the interface takes the name when it is made.
    WiFi.setHostname(name);
    WiFi.mode(WIFI_STA);
    WiFi.setAutoReconnect(true);
    // The best access point of all channels, and not the first that answers.
    WiFi.setScanMethod(WIFI_ALL_CHANNEL_SCAN);
    WiFi.setSortMethod(WIFI_CONNECT_AP_BY_SIGNAL);
    WiFi.begin(network->ssid, network->password[0] != 0 ? network->password : nullptr);
    // Asleep between beacons it would answer a hub's packets a tenth of a second late.
    WiFi.setSleep(false);
}

void switch_off_and_on() {
    WiFi.disconnect(true);
    WiFi.mode(WIFI_OFF);
    delay(kOffMs);
    connect();
}

void copy(const IPAddress& from, uint8_t to[4]) {
    for (int at = 0; at < 4; at++) to[at] = from[at];
}

/// All IPv4 addresses of all hubs that answer; the Arduino library would give the first of each alone.
void ask_all(larder::Places* to) {
    mdns_result_t* results = nullptr;
    if (mdns_query_ptr("_larder", "_tcp", kQueryMs, larder::Places::kMost, &results) != ESP_OK) return;
    for (const mdns_result_t* found = results; found != nullptr; found = found->next) {
        for (const mdns_ip_addr_t* at = found->addr; at != nullptr; at = at->next) {
            if (at->addr.type != ESP_IPADDR_TYPE_V4) continue;
            uint8_t ip[4];
            memcpy(ip, &at->addr.u_addr.ip4.addr, sizeof ip);
            to->add(ip, found->port);
        }
    }
    mdns_query_results_free(results);
}

}  // namespace

void begin(const larder::Settings& settings) {
    network = &settings;
    is_joined = settings_store::was_joined(larder::network_mark(settings));
    snprintf(name, sizeof name, "fridgecam-%02x%02x", settings.camera[14], settings.camera[15]);
    WiFi.persistent(false);
    WiFi.onEvent(saw);
    connect();
    MDNS.begin(name);
}

bool is_up() {
    // Not WiFi.status(): core 2 goes on saying "connected" after an access point has thrown the board out.
    wifi_ap_record_t access_point;
    return radio.is_up(esp_wifi_sta_get_ap_info(&access_point) == ESP_OK);
}

void tend() {
    const bool is_up_now = is_up();
    if (is_up_now && !is_joined) {
        is_joined = true;
        if (!settings_store::set_joined(larder::network_mark(*network))) Serial.println("flash: can't be written");
    }
    switch (radio.tend(is_up_now, millis())) {
        case larder::Remedy::None: break;
        case larder::Remedy::Reconnect:
            Serial.println("wifi: connects anew");
            WiFi.reconnect();
            break;
        case larder::Remedy::RadioOffAndOn:
            Serial.println("wifi: radio off and on");
            switch_off_and_on();
            break;
        case larder::Remedy::Restart:
            Serial.println("wifi: no hub for 15 minutes, restarts");
            ESP.restart();
            break;
    }
}

void heard() { radio.heard(millis()); }

bool was_joined() { return is_joined; }

void find_hub(const larder::Settings& settings, larder::Places* to) {
    if (settings.hub[0] != 0) {
        larder::resolve(settings.hub, settings.hub_port, to);
    } else {
        ask_all(to);
    }
    uint8_t own[4], mask[4];
    copy(WiFi.localIP(), own);
    copy(WiFi.subnetMask(), mask);
    to->prefer(own, mask);
}

}  // namespace wlan
