#include "board.h"

#include <ESPmDNS.h>
#include <Preferences.h>
#include <esp_wifi.h>
#include <mdns.h>

#include "../../fridgecam/lamp.h"
#include "../../fridgecam/state.h"

namespace fake_board {

std::vector<std::string> calls;
uint32_t time_ms = 0;
int restarts = 0;
bool is_associated = false;
uint32_t pressed_ms = 0, released_ms = 0;
uint8_t reset_reason = 1;
std::vector<Answer> answers;
std::map<std::string, std::vector<uint8_t>> flash;
int writes_left = -1;

namespace {

WiFiEventCb on_event = nullptr;
std::string space;

}  // namespace

int place_of(const std::string& call, int from) {
    for (size_t at = static_cast<size_t>(from); at < calls.size(); at++) {
        if (calls[at] == call) return static_cast<int>(at);
    }
    return -1;
}

int count_of(const std::string& call) {
    int count = 0;
    for (const std::string& one : calls) count += one == call;
    return count;
}

void happen(arduino_event_id_t event) { on_event(event); }

}  // namespace fake_board

using namespace fake_board;

HardwareSerial Serial;
EspClass ESP;
WiFiClass WiFi;
MDNSResponder MDNS;

size_t HardwareSerial::println(const char*) { return 0; }
void EspClass::restart() { restarts++; }
unsigned long millis() { return time_ms; }
void delay(uint32_t ms) { time_ms += ms; }
void pinMode(uint8_t, uint8_t) {}
int digitalRead(uint8_t) { return time_ms >= pressed_ms && time_ms < released_ms ? LOW : HIGH; }

IPAddress::IPAddress(uint32_t address) : address_(address) {}
uint8_t IPAddress::operator[](int index) const { return static_cast<uint8_t>(address_ >> 8 * index); }
IPAddress WiFiClass::localIP() { return IPAddress(77u << 24 | 1u << 16 | 168u << 8 | 192u); }
IPAddress WiFiClass::subnetMask() { return IPAddress(0x00ffffffu); }

wifi_event_id_t WiFiClass::onEvent(WiFiEventCb call, arduino_event_id_t) {
    on_event = call;
    return 1;
}
void WiFiClass::persistent(bool on) { calls.push_back(on ? "persistent" : "not persistent"); }
bool WiFiClass::mode(wifi_mode_t mode) {
    calls.push_back(mode == WIFI_STA ? "mode STA" : mode == WIFI_OFF ? "mode OFF" : "mode AP");
    return true;
}
bool WiFiClass::setHostname(const char* name) {
    calls.push_back(std::string("name ") + name);
    return true;
}
bool WiFiClass::setAutoReconnect(bool) { return true; }
void WiFiClass::setScanMethod(wifi_scan_method_t method) {
    calls.push_back(method == WIFI_ALL_CHANNEL_SCAN ? "scan all" : "scan fast");
}
void WiFiClass::setSortMethod(wifi_sort_method_t) {}
bool WiFiClass::setSleep(bool on) {
    calls.push_back(on ? "sleep" : "no sleep");
    return true;
}
wl_status_t WiFiClass::begin(const char* ssid, const char*, int32_t, const uint8_t*, bool) {
    calls.push_back(std::string("begin ") + ssid);
    return WL_DISCONNECTED;
}
bool WiFiClass::disconnect(bool, bool) {
    calls.push_back("disconnect");
    return true;
}
bool WiFiClass::reconnect() {
    calls.push_back("reconnect");
    return true;
}

bool MDNSResponder::begin(const char*) { return true; }

namespace {

std::vector<std::string> spaces;

bool put(uint32_t handle, const char* key, const void* from, size_t count) {
    if (writes_left == 0) return false;
    if (writes_left > 0) writes_left--;
    const uint8_t* bytes = static_cast<const uint8_t*>(from);
    flash[spaces[handle] + "/" + key].assign(bytes, bytes + count);
    return true;
}

/// How many bytes are there; as many as there is room for are copied only when all fit.
size_t get(uint32_t handle, const char* key, void* to, size_t room) {
    const auto found = flash.find(spaces[handle] + "/" + key);
    if (found == flash.end() || found->second.size() > room) return 0;
    memcpy(to, found->second.data(), found->second.size());
    return found->second.size();
}

}  // namespace

bool Preferences::begin(const char* name, bool) {
    handle_ = static_cast<uint32_t>(spaces.size());
    spaces.push_back(name);
    return true;
}
bool Preferences::clear() {
    if (writes_left == 0) return false;
    const std::string prefix = spaces[handle_] + "/";
    for (auto at = flash.begin(); at != flash.end();) {
        at = at->first.compare(0, prefix.size(), prefix) == 0 ? flash.erase(at) : std::next(at);
    }
    return true;
}
bool Preferences::remove(const char* key) { return writes_left != 0 && flash.erase(spaces[handle_] + "/" + key) == 1; }
bool Preferences::isKey(const char* key) { return flash.count(spaces[handle_] + "/" + key) == 1; }
size_t Preferences::putUChar(const char* key, uint8_t value) { return put(handle_, key, &value, 1) ? 1 : 0; }
size_t Preferences::putUInt(const char* key, uint32_t value) { return put(handle_, key, &value, 4) ? 4 : 0; }
size_t Preferences::putBytes(const char* key, const void* value, size_t length) {
    return put(handle_, key, value, length) ? length : 0;
}
uint8_t Preferences::getUChar(const char* key, uint8_t otherwise) {
    get(handle_, key, &otherwise, 1);
    return otherwise;
}
uint32_t Preferences::getUInt(const char* key, uint32_t otherwise) {
    get(handle_, key, &otherwise, 4);
    return otherwise;
}
size_t Preferences::getBytes(const char* key, void* to, size_t room) { return get(handle_, key, to, room); }

// The sketch's own files that are not tested here.
namespace lamp {

void show(Sign) {}

}  // namespace lamp

namespace state {

uint8_t reset_reason() { return fake_board::reset_reason; }

}  // namespace state

esp_err_t esp_wifi_sta_get_ap_info(wifi_ap_record_t*) { return is_associated ? ESP_OK : ESP_FAIL; }

esp_err_t mdns_query_ptr(const char* service, const char* protocol, uint32_t timeout_ms, size_t most,
                         mdns_result_t** results) {
    CHECK(std::string(service) == "_larder" && std::string(protocol) == "_tcp");
    time_ms += timeout_ms;
    *results = nullptr;
    mdns_result_t** next = results;
    for (size_t at = 0; at < answers.size() && at < most; at++) {
        *next = new mdns_result_t();
        (*next)->port = answers[at].port;
        mdns_ip_addr_t** last = &(*next)->addr;
        for (const std::vector<uint8_t>& bytes : answers[at].addresses) {
            *last = new mdns_ip_addr_t();
            (*last)->addr.type = bytes.empty() ? ESP_IPADDR_TYPE_V6 : ESP_IPADDR_TYPE_V4;
            if (!bytes.empty()) memcpy(&(*last)->addr.u_addr.ip4.addr, bytes.data(), bytes.size());
            last = &(*last)->next;
        }
        next = &(*next)->next;
    }
    return ESP_OK;
}

void mdns_query_results_free(mdns_result_t* results) {
    while (results != nullptr) {
        while (results->addr != nullptr) {
            mdns_ip_addr_t* const next = results->addr->next;
            delete results->addr;
            results->addr = next;
        }
        mdns_result_t* const next = results->next;
        delete results;
        results = next;
    }
}
