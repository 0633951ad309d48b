#include "device.h"

#include <Arduino.h>

#include "console_task.h"
#include "eye.h"
#include "lamp.h"
#include "link_task.h"
#include "ota.h"
#include "portal.h"
#include "pwm.h"
#include "rescue.h"
#include "sensor_task.h"
#include "settings_store.h"
#include "state.h"
#include "watchdog.h"
#include "wlan.h"

namespace device {

void begin() {
    Serial.begin(115200);
    lamp::begin();
    settings_store::begin();
    state::begin();
    console_task::begin();
    watchdog::begin();
    pwm::begin();
    // Nobody to send to yet, or no way to: the portal and the console ask for what is missing or wrong.
    if (!state::settings().is_complete() || rescue::wants_portal()) {
        portal::begin();
        return;
    }
    // The radio first: it takes the memory that it needs before the camera takes what is left.
    wlan::begin(state::settings());
    eye::begin(state::settings().xclk_mhz);
    ota::begin();
    sensor_task::begin();
    link_task::begin();
}

void tend() {
    console_task::tend();
    if (portal::is_open()) {
        portal::tend();
        lamp::show(lamp::Sign::Portal);
    } else {
        wlan::tend();
        ota::tend();
        rescue::tend();
        lamp::tend();
    }
    delay(10);
}

}  // namespace device
