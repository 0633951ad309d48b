// Stub for type checks.
#pragma once

#include <Arduino.h>

#include <functional>

enum HTTPMethod { HTTP_GET = 1, HTTP_POST = 3 };

class WebServer {
public:
    typedef std::function<void(void)> THandlerFunction;
    explicit WebServer(int port = 80);
    void on(const String& path, HTTPMethod method, THandlerFunction handler);
    void onNotFound(THandlerFunction handler);
    void begin();
    void handleClient();
    void send(int code, const char* type, const String& content);
    void send(int code, const char* type, const char* content);
    String arg(const String& name);
};
