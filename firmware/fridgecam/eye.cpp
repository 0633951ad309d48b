#include "eye.h"

#include <Arduino.h>
#include <esp_camera.h>

#include "board.h"
#include "pwm.h"
#include "state.h"

namespace eye {

namespace {

constexpr int kFallbackMhz = 10;
constexpr int kStaleFrames = 3;
// The driver's scale ends at 63 and its buffers are too small for better than this.
constexpr uint8_t kBestQuality = 10;

struct Format {
    uint16_t width;
    uint16_t height;
    framesize_t size;
};

// By name: the numbers of `framesize_t` differ between core versions, which is why none ever travels.
const Format kFormats[] = {
    {160, 120, FRAMESIZE_QQVGA}, {320, 240, FRAMESIZE_QVGA},  {400, 296, FRAMESIZE_CIF},
    {480, 320, FRAMESIZE_HVGA},  {640, 480, FRAMESIZE_VGA},   {800, 600, FRAMESIZE_SVGA},
    {1024, 768, FRAMESIZE_XGA},  {1280, 720, FRAMESIZE_HD},   {1280, 1024, FRAMESIZE_SXGA},
    {1600, 1200, FRAMESIZE_UXGA},
};
constexpr int kSvga = 5;
constexpr int kVga = 4;

bool is_up;
const Format* format = &kFormats[kVga];
// What the buffers were made for: smaller ones can follow, larger ones can't.
const Format* largest = &kFormats[sizeof kFormats / sizeof kFormats[0] - 1];
uint8_t quality = 12;
bool wants_snapshot;

void pulse_power() {
    pinMode(board::kCameraPowerDown, OUTPUT);
    digitalWrite(board::kCameraPowerDown, HIGH);
    delay(100);
    digitalWrite(board::kCameraPowerDown, LOW);
    delay(100);
}

bool start(int mhz) {
    camera_config_t config = {};
    config.pin_pwdn = board::kCameraPowerDown;
    config.pin_reset = -1;
    config.pin_xclk = board::kCameraClock;
    config.pin_sccb_sda = board::kCameraData;
    config.pin_sccb_scl = board::kCameraDataClock;
    config.pin_d0 = board::kCameraPins[0];
    config.pin_d1 = board::kCameraPins[1];
    config.pin_d2 = board::kCameraPins[2];
    config.pin_d3 = board::kCameraPins[3];
    config.pin_d4 = board::kCameraPins[4];
    config.pin_d5 = board::kCameraPins[5];
    config.pin_d6 = board::kCameraPins[6];
    config.pin_d7 = board::kCameraPins[7];
    config.pin_vsync = board::kCameraVsync;
    config.pin_href = board::kCameraHref;
    config.pin_pclk = board::kCameraPixelClock;
    config.xclk_freq_hz = mhz * 1000000;
    config.ledc_timer = LEDC_TIMER_0;
    config.ledc_channel = static_cast<ledc_channel_t>(board::kClockChannel);
    config.pixel_format = PIXFORMAT_JPEG;
    config.jpeg_quality = quality;
    config.fb_count = 2;
    config.fb_location = CAMERA_FB_IN_PSRAM;
    config.grab_mode = CAMERA_GRAB_LATEST;
    if (!psramFound()) {
        config.fb_count = 1;
        config.fb_location = CAMERA_FB_IN_DRAM;
        config.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
        largest = &kFormats[kSvga];
    }
    config.frame_size = largest->size;
    const esp_err_t fault = esp_camera_init(&config);
    if (fault != ESP_OK) Serial.printf("camera: error 0x%x at %d MHz\n", static_cast<unsigned>(fault), mhz);
    return fault == ESP_OK;
}

void drop(int count) {
    while (count-- > 0) {
        camera_fb_t* frame = esp_camera_fb_get();
        if (frame != nullptr) esp_camera_fb_return(frame);
    }
}

bool apply(const Format& wanted) {
    sensor_t* sensor = esp_camera_sensor_get();
    return sensor != nullptr && sensor->set_framesize(sensor, wanted.size) == 0;
}

class Pictures : public larder::Eye {
public:
    bool take(larder::Picture* picture) override {
        if (!is_up) {
            // Not too often: each picture that is due would else wait for it.
            const uint32_t now_ms = millis();
            if (now_ms - tried_ms_ > 30000) {
                tried_ms_ = now_ms;
                begin(kFallbackMhz);
            }
            return false;
        }
        const bool is_snapshot = wants_snapshot;
        wants_snapshot = false;
        if (is_snapshot) {
            apply(*largest);
            drop(kStaleFrames);
        }
        frame_ = esp_camera_fb_get();
        if (is_snapshot) apply(*format);
        if (frame_ == nullptr) {
            // The driver gave up on the sensor: a new start is the only thing that helps.
            if (++misses_ < 3) return false;
            misses_ = 0;
            esp_camera_deinit();
            is_up = false;
            return false;
        }
        misses_ = 0;
        picture->jpeg = frame_->buf;
        picture->jpeg_len = frame_->len;
        picture->width = static_cast<uint16_t>(frame_->width);
        picture->height = static_cast<uint16_t>(frame_->height);
        picture->quality = quality;
        picture->flags = static_cast<uint8_t>((is_snapshot ? larder::kFrameSnapshot : 0) |
                                              (pwm::is_flash_on() ? larder::kFrameFlash : 0));
        // The driver's stamp is of the frame's first line, on the clock of `esp_timer`.
        picture->t_us = static_cast<uint64_t>(frame_->timestamp.tv_sec) * 1000000 +
                        static_cast<uint64_t>(frame_->timestamp.tv_usec);
        const uint64_t now_us = state::now_us();
        if (picture->t_us > now_us || picture->t_us == 0) picture->t_us = now_us;
        return true;
    }

    void give_back() override {
        if (frame_ != nullptr) esp_camera_fb_return(frame_);
        frame_ = nullptr;
    }

    void set_quality(uint8_t wanted) override { eye::set_quality(wanted); }

private:
    camera_fb_t* frame_ = nullptr;
    int misses_ = 0;
    uint32_t tried_ms_ = 0;
};

Pictures the_pictures;

}  // namespace

bool begin(uint8_t xclk_mhz) {
    is_up = start(xclk_mhz);
    // 0x105 (not found) is mostly a sensor that did not come out of its sleep.
    for (int tries = 0; !is_up && tries < 2; tries++) {
        pulse_power();
        is_up = start(tries == 0 ? xclk_mhz : kFallbackMhz);
    }
    if (!is_up) return false;
    apply(*format);
    // Exposure and white balance settle first.
    drop(kStaleFrames);
    return true;
}

bool is_ready() { return is_up; }

bool set_size(uint16_t width, uint16_t height) {
    for (const Format& known : kFormats) {
        if (known.width != width || known.height != height) continue;
        if (known.width > largest->width) return false;
        format = &known;
        return !is_up || apply(known);
    }
    return false;
}

bool set_quality(uint8_t wanted) {
    quality = wanted < kBestQuality ? kBestQuality : wanted;
    sensor_t* sensor = is_up ? esp_camera_sensor_get() : nullptr;
    return sensor == nullptr || sensor->set_quality(sensor, quality) == 0;
}

larder::AckResult set_register(uint8_t setting, int16_t value) {
    sensor_t* sensor = is_up ? esp_camera_sensor_get() : nullptr;
    if (sensor == nullptr) return larder::AckResult::Failed;
    int (*const setters[])(sensor_t*, int) = {
        sensor->set_brightness, sensor->set_contrast, sensor->set_saturation, sensor->set_special_effect,
        sensor->set_wb_mode, sensor->set_ae_level, sensor->set_aec_value, sensor->set_agc_gain,
        nullptr, sensor->set_whitebal, sensor->set_awb_gain, sensor->set_gain_ctrl, sensor->set_exposure_ctrl,
        sensor->set_aec2, sensor->set_hmirror, sensor->set_vflip, sensor->set_lenc, sensor->set_bpc, sensor->set_wpc,
        sensor->set_raw_gma, sensor->set_dcw, sensor->set_colorbar,
    };
    static_assert(sizeof setters / sizeof setters[0] == larder::kSettingCount, "every setting has its function");
    if (setting < 1 || setting > larder::kSettingCount) return larder::AckResult::Unsupported;
    // The gain's ceiling alone has a type of its own.
    const int fault = setters[setting - 1] == nullptr
                          ? sensor->set_gainceiling(sensor, static_cast<gainceiling_t>(value))
                          : setters[setting - 1](sensor, value);
    return fault == 0 ? larder::AckResult::Done : larder::AckResult::OutOfRange;
}

void want_snapshot() { wants_snapshot = true; }

larder::Eye* pictures() { return &the_pictures; }

}  // namespace eye
