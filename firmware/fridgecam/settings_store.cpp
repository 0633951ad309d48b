#include "settings_store.h"

#include <Preferences.h>

namespace settings_store {

namespace {

Preferences settings_space;
Preferences counter_space;

}  // namespace

void begin() {
    settings_space.begin("larder", false);
    counter_space.begin("larder-boot", false);
}

void load(larder::Settings* settings) {
    *settings = larder::Settings();
    settings_space.getString("ssid", settings->ssid, sizeof settings->ssid);
    settings_space.getString("password", settings->password, sizeof settings->password);
    settings_space.getString("hub", settings->hub, sizeof settings->hub);
    settings->hub_port = settings_space.getUShort("port", larder::kLinkPort);
    settings->xclk_mhz = settings_space.getUChar("xclk", 20);
    settings->has_camera =
        settings_space.getBytes("camera", settings->camera, sizeof settings->camera) == sizeof settings->camera &&
        settings_space.getBytes("key", settings->key, sizeof settings->key) == sizeof settings->key;
}

bool save(const larder::Settings& settings) {
    settings_space.putString("ssid", settings.ssid);
    settings_space.putString("password", settings.password);
    settings_space.putString("hub", settings.hub);
    settings_space.putUShort("port", settings.hub_port);
    settings_space.putUChar("xclk", settings.xclk_mhz);
    if (!settings.has_camera) return true;
    return settings_space.putBytes("camera", settings.camera, sizeof settings.camera) == sizeof settings.camera &&
           settings_space.putBytes("key", settings.key, sizeof settings.key) == sizeof settings.key;
}

void forget() { settings_space.clear(); }

uint32_t count_boot() {
    const uint32_t boot = counter_space.getUInt("boot", 0) + 1;
    counter_space.putUInt("boot", boot);
    return boot;
}

}  // namespace settings_store
