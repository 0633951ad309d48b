// Stub: arduino-esp32 2.0.17 and 3.0.4, cores/esp32: Arduino.h, WString.h, HardwareSerial.h, Print.h, Esp.h,
// IPAddress.h, esp32-hal*.h. What the sketch uses, in the types that the cores give it. Print.h was read at commit
// 08b6363, Esp.h at 00c1a65, IPAddress.h at 0cff29d and esp32-hal-gpio.h at 0501831 (where OUTPUT is still 0x02); the
// others are declared as sketches use them.
#pragma once

#include <esp_arduino_version.h>
#include <esp_idf_version.h>
#include <freertos/FreeRTOS.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <functional>

#define PROGMEM
#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x01
#define OUTPUT 0x03
#define INPUT_PULLUP 0x05

class String {
public:
    String(const char* text = "");
    String(const String& other);
    String& operator=(const String& other);
    ~String();
    unsigned int length() const;
    char operator[](unsigned int index) const;
    String& operator+=(char character);
    String& operator+=(const char* text);
    const char* c_str() const;
    void trim();
};
String operator+(const String& one, const String& other);
String operator+(const String& one, const char* other);
String operator+(const char* one, const String& other);

class HardwareSerial {
public:
    void begin(unsigned long baud, uint32_t config = 0x800001c, int8_t rx_pin = -1, int8_t tx_pin = -1);
    int available();
    int read();
    size_t print(const char* text);
    size_t println(const char* text);
    size_t println(const String& text);
    size_t println(int number, int base = 10);
    size_t printf(const char* format, ...) __attribute__((format(printf, 2, 3)));
};
extern HardwareSerial Serial;

class EspClass {
public:
    void restart();
    uint32_t getFreeHeap();
    uint32_t getMinFreeHeap();
    uint32_t getFreePsram();
};
extern EspClass ESP;

class IPAddress {
public:
    IPAddress();
    IPAddress(uint32_t address);
    operator uint32_t() const;
    uint8_t operator[](int index) const;
    uint8_t& operator[](int index);

private:
    uint32_t address_;
};

unsigned long millis();
void delay(uint32_t ms);
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t value);
int digitalRead(uint8_t pin);
bool psramFound();
float temperatureRead();

#include <ledc.h>
