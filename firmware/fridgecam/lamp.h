// The small red lamp: what the board is doing, in blinks.
#pragma once

namespace lamp {

enum class Sign {
    /// Off, with a short blink every five seconds: pictures go out.
    Sending,
    /// Once a second: no hub.
    Dialling,
    /// Twice a second: no Wi-Fi.
    NoWlan,
    /// Lit: waiting to be set up.
    Portal,
    /// Three short blinks, then a pause: no picture from the image sensor.
    NoCamera,
    /// Five times a second: the hub refused the key, or is not the hub.
    Refused,
};

void begin();
void show(Sign sign);
void tend();

}  // namespace lamp
