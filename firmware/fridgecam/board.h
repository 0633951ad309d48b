// The Ai Thinker ESP32-CAM: pins and what they are for.
#pragma once

#include <stdint.h>

#ifndef FRIDGECAM_PROBE_PIN
// The thermometers' wire. Its 4.7k pull-up keeps the board from being flashed: see README.md.
#define FRIDGECAM_PROBE_PIN 2
#endif

namespace board {

// The hub's tools find the version in a built image by what stands before it.
constexpr char kVersionMark[] = "fridgecam-version=1.0.0";
constexpr const char* kVersion = kVersionMark + sizeof "fridgecam-version=" - 1;

constexpr int kProbePin = FRIDGECAM_PROBE_PIN;
constexpr int kFlashPin = 4;
// XCLK of the image sensor while that runs; before that, and on boards that have it, the button IO0 to ground.
constexpr int kButtonPin = 0;
// Lit when low.
constexpr int kLampPin = 33;
constexpr int kPanPin = 14;
constexpr int kTiltPin = 15;

constexpr int kCameraPowerDown = 32;
constexpr int kCameraClock = 0;
constexpr int kCameraData = 26;
constexpr int kCameraDataClock = 27;
constexpr int kCameraVsync = 25;
constexpr int kCameraHref = 23;
constexpr int kCameraPixelClock = 22;
// D0 to D7.
constexpr int kCameraPins[8] = {5, 18, 19, 21, 36, 39, 34, 35};

// The LEDC channel of XCLK, as the camera's driver takes it; the flash and the servos must use other timers. Channels
// 2 n and 2 n + 1 share timer n: XCLK 0 (timer 0), flash 4 (timer 2), servos 6 and 7 (timer 3).
constexpr uint8_t kClockChannel = 0;
constexpr uint8_t kFlashChannel = 4;
constexpr uint8_t kPanChannel = 6;
constexpr uint8_t kTiltChannel = 7;

}  // namespace board
