#include "settings.h"

#include "crc32.h"

namespace larder {

namespace {

constexpr uint8_t kFormat = 1;

// Names and passwords are bytes like any others: whole arrays are kept, with their zeros.
void encode(const Settings& settings, uint8_t to[kRecordLen]) {
    Writer out(to, kRecordLen);
    out.u8(kFormat);
    out.bytes(settings.ssid, sizeof settings.ssid);
    out.bytes(settings.password, sizeof settings.password);
    out.bytes(settings.hub, sizeof settings.hub);
    out.u16(settings.hub_port);
    out.u8(settings.has_camera ? 1 : 0);
    out.bytes(settings.camera, sizeof settings.camera);
    out.bytes(settings.key, sizeof settings.key);
    out.u8(settings.xclk_mhz);
    out.u32(crc32(0, to, out.size()));
}

bool decode(const uint8_t from[kRecordLen], Settings* settings) {
    Reader check(from + kRecordLen - kCrcLen, kCrcLen);
    if (check.u32() != crc32(0, from, kRecordLen - kCrcLen)) return false;
    Reader in(from, kRecordLen - kCrcLen);
    if (in.u8() != kFormat) return false;
    in.bytes(settings->ssid, sizeof settings->ssid);
    in.bytes(settings->password, sizeof settings->password);
    in.bytes(settings->hub, sizeof settings->hub);
    settings->hub_port = in.u16();
    settings->has_camera = in.u8() == 1;
    in.bytes(settings->camera, sizeof settings->camera);
    in.bytes(settings->key, sizeof settings->key);
    settings->xclk_mhz = in.u8();
    return in.is_done() && settings->ssid[sizeof settings->ssid - 1] == 0 &&
           settings->password[sizeof settings->password - 1] == 0 && settings->hub[sizeof settings->hub - 1] == 0;
}

}  // namespace

Settings first_settings() {
    Settings settings = Settings();
    settings.hub_port = kLinkPort;
    settings.xclk_mhz = kUsualXclkMhz;
    return settings;
}

bool keep(const Settings& settings, Vault* vault) {
    uint8_t record[kRecordLen], found[kRecordLen];
    encode(settings, record);
    return vault->write(record, sizeof record) && vault->read(found, sizeof found) == sizeof found &&
           memcmp(record, found, sizeof record) == 0;
}

bool load(Vault* vault, Settings* settings) {
    uint8_t record[kRecordLen];
    Settings found = Settings();
    const bool is_whole = vault->read(record, sizeof record) == sizeof record && decode(record, &found);
    *settings = is_whole ? found : first_settings();
    return is_whole;
}

}  // namespace larder
