// Stub for type checks: what the sketch uses of the ESP32's Arduino core, in the types that core gives it.
#pragma once

#include <esp_arduino_version.h>
#include <esp_idf_version.h>
#include <freertos/FreeRTOS.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGMEM
#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x01
#define OUTPUT 0x03

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
    void begin(unsigned long baud);
    int available();
    int read();
    size_t print(const char* text);
    size_t println(const char* text);
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
    uint8_t operator[](int index) const;
};

unsigned long millis();
void delay(uint32_t ms);
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t value);
bool psramFound();
float temperatureRead();

#include <ledc.h>
