#include "eye.h"

#include <Arduino.h>
#include <esp_camera.h>

#include "board.h"
#include "pwm.h"
#include "state.h"

namespace eye {

namespace {

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
constexpr int kUxga = 9;

camera_config_t configured(int mhz, int quality) {
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
    // A third buffer would only hold a second old picture: the driver (cam_hal.c) replaces the oldest one when a
    // further one is whole, and for that it needs a free buffer. The shutter drops what waited for too long.
    config.fb_count = psramFound() ? 2 : 1;
    config.fb_location = psramFound() ? CAMERA_FB_IN_PSRAM : CAMERA_FB_IN_DRAM;
    config.grab_mode = psramFound() ? CAMERA_GRAB_LATEST : CAMERA_GRAB_WHEN_EMPTY;
    return config;
}

class Ov2640 : public larder::Sensor {
public:
    bool start(uint8_t xclk_mhz, uint8_t quality) override {
        // The buffers are made for it: smaller sizes can follow, larger ones can't.
        largest_ = &kFormats[psramFound() ? kUxga : kSvga];
        camera_config_t config = configured(xclk_mhz, quality);
        config.frame_size = largest_->size;
        const esp_err_t fault = esp_camera_init(&config);
        if (fault != ESP_OK) Serial.printf("camera: error 0x%x at %u MHz\n", static_cast<unsigned>(fault), xclk_mhz);
        return fault == ESP_OK;
    }

    void stop() override { esp_camera_deinit(); }

    void wake() override {
        // 0x105 (not found) is mostly a sensor that did not come out of its sleep.
        pinMode(board::kCameraPowerDown, OUTPUT);
        digitalWrite(board::kCameraPowerDown, HIGH);
        delay(100);
        digitalWrite(board::kCameraPowerDown, LOW);
        delay(100);
    }

    bool set_size(const larder::Size& size) override {
        sensor_t* sensor = esp_camera_sensor_get();
        for (const Format& known : kFormats) {
            if (known.width != size.width || known.height != size.height) continue;
            if (known.width > largest_->width || sensor == nullptr) return false;
            return sensor->set_framesize(sensor, known.size) == 0;
        }
        return false;
    }

    bool set_quality(uint8_t quality) override {
        sensor_t* sensor = esp_camera_sensor_get();
        return sensor != nullptr && sensor->set_quality(sensor, quality) == 0;
    }

    larder::Size largest() override { return larder::Size{largest_->width, largest_->height}; }

    bool grab(larder::Shot* shot) override {
        frame_ = esp_camera_fb_get();
        if (frame_ == nullptr) return false;
        shot->jpeg = frame_->buf;
        shot->jpeg_len = frame_->len;
        // The driver's stamp is of the frame's beginning, on the clock of `esp_timer`. Its width and height are of the
        // size that was set last, and not of this frame.
        shot->t_us = static_cast<uint64_t>(frame_->timestamp.tv_sec) * 1000000 +
                     static_cast<uint64_t>(frame_->timestamp.tv_usec);
        return true;
    }

    void give_back() override {
        if (frame_ != nullptr) esp_camera_fb_return(frame_);
        frame_ = nullptr;
    }

private:
    const Format* largest_ = &kFormats[kUxga];
    camera_fb_t* frame_ = nullptr;
};

class BoardClock : public larder::Clock {
public:
    uint64_t now_us() override { return state::now_us(); }
};

Ov2640 sensor;
BoardClock board_clock;
larder::Shutter shutter(&sensor, &board_clock);

/// The shutter's, and whether the flash was on.
class Pictures : public larder::Eye {
public:
    bool take(larder::Picture* picture) override {
        if (!shutter.take(picture)) return false;
        if (pwm::is_flash_on()) picture->flags |= larder::kFrameFlash;
        return true;
    }
    void give_back() override { shutter.give_back(); }
    void set_quality(uint8_t quality) override { shutter.set_quality(quality); }
};

Pictures the_pictures;

}  // namespace

bool begin(uint8_t xclk_mhz) { return shutter.begin(xclk_mhz); }

bool is_ready() { return shutter.is_ready(); }

bool set_size(uint16_t width, uint16_t height) { return shutter.set_size(larder::Size{width, height}); }

larder::AckResult set_register(uint8_t setting, int16_t value) {
    sensor_t* sensor = is_ready() ? esp_camera_sensor_get() : nullptr;
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

void want_snapshot() { shutter.want_snapshot(); }

larder::Eye* pictures() { return &the_pictures; }

}  // namespace eye
