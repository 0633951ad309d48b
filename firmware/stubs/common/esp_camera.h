// Stub: espressif/esp32-camera 2.0.8 to 2.1.5, driver/include: esp_camera.h (read at commit 4335c93) and sensor.h (read
// at 5fe2266), whose functions stand here in its order. The numbers of `framesize_t` differ between versions:
// framesize.h.
#pragma once

#include <esp_err.h>
#include <framesize.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

typedef enum {
    PIXFORMAT_RGB565,
    PIXFORMAT_YUV422,
    PIXFORMAT_YUV420,
    PIXFORMAT_GRAYSCALE,
    PIXFORMAT_JPEG,
} pixformat_t;
typedef enum { CAMERA_FB_IN_PSRAM, CAMERA_FB_IN_DRAM } camera_fb_location_t;
typedef enum { CAMERA_GRAB_WHEN_EMPTY, CAMERA_GRAB_LATEST } camera_grab_mode_t;
typedef enum { LEDC_TIMER_0 = 0, LEDC_TIMER_1 } ledc_timer_t;
typedef enum { LEDC_CHANNEL_0 = 0, LEDC_CHANNEL_1 } ledc_channel_t;
typedef enum {
    GAINCEILING_2X,
    GAINCEILING_4X,
    GAINCEILING_8X,
    GAINCEILING_16X,
    GAINCEILING_32X,
    GAINCEILING_64X,
    GAINCEILING_128X,
} gainceiling_t;

typedef struct {
    int pin_pwdn;
    int pin_reset;
    int pin_xclk;
    union {
        int pin_sccb_sda;
        int pin_sscb_sda __attribute__((deprecated));
    };
    union {
        int pin_sccb_scl;
        int pin_sscb_scl __attribute__((deprecated));
    };
    int pin_d7;
    int pin_d6;
    int pin_d5;
    int pin_d4;
    int pin_d3;
    int pin_d2;
    int pin_d1;
    int pin_d0;
    int pin_vsync;
    int pin_href;
    int pin_pclk;
    int xclk_freq_hz;
    ledc_timer_t ledc_timer;
    ledc_channel_t ledc_channel;
    pixformat_t pixel_format;
    framesize_t frame_size;
    int jpeg_quality;
    size_t fb_count;
    camera_fb_location_t fb_location;
    camera_grab_mode_t grab_mode;
    int sccb_i2c_port;
} camera_config_t;

typedef struct {
    uint8_t* buf;
    size_t len;
    size_t width;
    size_t height;
    pixformat_t format;
    struct timeval timestamp;
} camera_fb_t;

typedef struct _sensor sensor_t;
struct _sensor {
    int (*set_framesize)(sensor_t* sensor, framesize_t size);
    int (*set_contrast)(sensor_t* sensor, int level);
    int (*set_brightness)(sensor_t* sensor, int level);
    int (*set_saturation)(sensor_t* sensor, int level);
    int (*set_gainceiling)(sensor_t* sensor, gainceiling_t ceiling);
    int (*set_quality)(sensor_t* sensor, int quality);
    int (*set_colorbar)(sensor_t* sensor, int enable);
    int (*set_whitebal)(sensor_t* sensor, int enable);
    int (*set_gain_ctrl)(sensor_t* sensor, int enable);
    int (*set_exposure_ctrl)(sensor_t* sensor, int enable);
    int (*set_hmirror)(sensor_t* sensor, int enable);
    int (*set_vflip)(sensor_t* sensor, int enable);
    int (*set_aec2)(sensor_t* sensor, int enable);
    int (*set_awb_gain)(sensor_t* sensor, int enable);
    int (*set_agc_gain)(sensor_t* sensor, int gain);
    int (*set_aec_value)(sensor_t* sensor, int gain);
    int (*set_special_effect)(sensor_t* sensor, int effect);
    int (*set_wb_mode)(sensor_t* sensor, int mode);
    int (*set_ae_level)(sensor_t* sensor, int level);
    int (*set_dcw)(sensor_t* sensor, int enable);
    int (*set_bpc)(sensor_t* sensor, int enable);
    int (*set_wpc)(sensor_t* sensor, int enable);
    int (*set_raw_gma)(sensor_t* sensor, int enable);
    int (*set_lenc)(sensor_t* sensor, int enable);
};

extern "C" {
esp_err_t esp_camera_init(const camera_config_t* config);
esp_err_t esp_camera_deinit();
camera_fb_t* esp_camera_fb_get();
void esp_camera_fb_return(camera_fb_t* frame);
sensor_t* esp_camera_sensor_get();
}
