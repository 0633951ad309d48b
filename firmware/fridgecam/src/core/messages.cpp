#include "messages.h"

namespace larder {

// In the order of the driver (sensor_t of espressif/esp32-camera), which is that of the wire.
const char* const kSettingNames[] = {
    "brightness", "contrast", "saturation", "special_effect", "wb_mode", "ae_level", "aec_value", "agc_gain",
    "gainceiling", "awb", "awb_gain", "agc", "aec", "aec2", "hmirror", "vflip", "lenc", "bpc", "wpc", "raw_gma",
    "dcw", "colorbar",
};
static_assert(sizeof kSettingNames / sizeof kSettingNames[0] == kSettingCount, "every setting has its name");

void Hello::put(Writer* out) const {
    out->u8(kVersion);
    out->u8(kVersion);
    out->bytes(camera, sizeof camera);
    out->bytes(nonce, sizeof nonce);
    out->u32(boot);
    out->u32(reading_boot);
    out->u32(reading_seq);
    out->u32(capabilities);
    out->u8(reset_reason);
    out->u8(camera_state);
    out->text(firmware_version, kMostVersion);
}

bool Welcome::parse(Reader* in) {
    width = in->u16();
    height = in->u16();
    quality = in->u8();
    active_fps = in->u8();
    idle_fps = in->u8();
    frame_mac = in->u8();
    ping_interval_ms = in->u32();
    telemetry_interval_ms = in->u32();
    largest_frame = in->u32();
    // It may be longer: what is new is passed over.
    return in->ok();
}

void FrameInfo::put(Writer* out) const {
    out->u32(number);
    out->u16(width);
    out->u16(height);
    out->u8(quality);
    out->u8(flags);
    out->u16(queued_ms);
}

void Telemetry::put(Writer* out) const {
    const uint32_t counts[] = {uptime_s, heap_free, heap_min_free, heap_largest_block, psram_free};
    for (const uint32_t count : counts) out->u32(count);
    out->i32(chip);
    const uint32_t frames[] = {frames_captured, frames_sent, frames_dropped, frames_corrupt,
                               longest_send_stall_ms, reconnects};
    for (const uint32_t count : frames) out->u32(count);
    out->u8(static_cast<uint8_t>(rssi_dbm));
    out->u8(reset_reason);
    out->u8(reading_count);
    for (uint8_t at = 0; at < reading_count; at++) {
        const Reading& reading = readings[at];
        out->u8(reading.probe);
        out->u32(reading.seq);
        out->u64(reading.t_us);
        out->i32(reading.value);
        out->u32(reading.error_count);
    }
    if (tenths_fps == 0) return;
    out->u16(tenths_fps);
    out->u8(quality);
}

bool Control::parse(Reader* in) {
    id = in->u32();
    command = static_cast<Command>(in->u8());
    switch (command) {
        case Command::Size:
            width = in->u16();
            height = in->u16();
            break;
        case Command::Quality: quality = in->u8(); break;
        case Command::Rate:
            active_fps = in->u8();
            idle_fps = in->u8();
            break;
        case Command::Register:
            setting = in->u8();
            value = in->i16();
            break;
        case Command::Flash: level = in->u8(); break;
        case Command::PanTilt:
            pan = in->i8();
            tilt = in->i8();
            break;
        case Command::Snapshot:
        case Command::Reboot: break;
        default: return in->ok();
    }
    return in->is_done();
}

void Remark::set(const char* words) {
    strncpy(text, words, kMostRemark);
    text[kMostRemark] = 0;
}

bool UpdateBegin::parse(Reader* in) {
    said = in->rest();
    const size_t whole = in->left();
    length = in->u32();
    in->bytes(sha256, sizeof sha256);
    const uint8_t flags = in->u8();
    forced = flags == 1;
    in->text(version, kMostVersion);
    said_len = whole - in->left();
    in->bytes(proof, sizeof proof);
    return in->is_done() && flags <= 1;
}

void put_ack(uint32_t id, AckResult result, const Remark& remark, Writer* out) {
    out->u32(id);
    out->u8(static_cast<uint8_t>(result));
    out->text(remark.text, kMostRemark);
}

void put_update_status(UpdateResult result, uint32_t next_offset, const Remark& remark, Writer* out) {
    out->u8(static_cast<uint8_t>(result));
    out->u32(next_offset);
    out->text(remark.text, kMostRemark);
}

}  // namespace larder
