// Stub: esp-idf 4.4, components/mdns/include/mdns.h, which became espressif/mdns for core 3 (an older one was read at
// commit 6aff712; that its addresses are `esp_ip_addr_t` since: arduino-esp32, libraries/ESPmDNS/src/ESPmDNS.cpp at
// 0f17f7d).
#pragma once

#include <esp_err.h>
#include <esp_netif_ip_addr.h>
#include <stddef.h>

typedef struct mdns_ip_addr_s {
    esp_ip_addr_t addr;
    struct mdns_ip_addr_s* next;
} mdns_ip_addr_t;

typedef struct mdns_result_s {
    struct mdns_result_s* next;
    char* instance_name;
    char* hostname;
    uint16_t port;
    mdns_ip_addr_t* addr;
} mdns_result_t;

extern "C" {
esp_err_t mdns_query_ptr(const char* service, const char* protocol, uint32_t timeout_ms, size_t most,
                         mdns_result_t** results);
void mdns_query_results_free(mdns_result_t* results);
}
