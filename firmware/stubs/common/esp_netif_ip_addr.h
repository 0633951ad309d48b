// Stub: esp-idf, components/esp_netif/include/esp_netif_ip_addr.h (read at commit 11d5382).
#pragma once

#include <stdint.h>

#define ESP_IPADDR_TYPE_V4 0U
#define ESP_IPADDR_TYPE_V6 6U

struct esp_ip6_addr {
    uint32_t addr[4];
    uint8_t zone;
};
struct esp_ip4_addr {
    uint32_t addr;
};
typedef struct esp_ip4_addr esp_ip4_addr_t;
typedef struct esp_ip6_addr esp_ip6_addr_t;
typedef struct _ip_addr {
    union {
        esp_ip6_addr_t ip6;
        esp_ip4_addr_t ip4;
    } u_addr;
    uint8_t type;
} esp_ip_addr_t;
