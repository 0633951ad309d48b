// Stub: arduino-esp32, libraries/WebServer/src: WebServer.h (2.0: read at commit 09a982e, 3.0: at 6cca46c; later ones
// of 3.x return a RequestHandler from `on` and take the name of `arg` by reference) and Uri.h (read at commit 6642427).
#pragma once

#include <WiFi.h>

#include <functional>

enum HTTPMethod { HTTP_GET = 1, HTTP_POST = 3 };

class Uri {
public:
    Uri(const char* uri);
    Uri(const String& uri);
    virtual ~Uri();
};

class WebServer {
public:
    typedef std::function<void(void)> THandlerFunction;
    WebServer(int port = 80);
    void on(const Uri& uri, HTTPMethod method, THandlerFunction handler);
    void onNotFound(THandlerFunction handler);
    void begin();
    void handleClient();
    void send(int code, const char* type = nullptr, const String& content = String(""));
    void send(int code, char* type, const String& content);
    void send(int code, const String& type, const String& content);
    void send(int code, const char* type, const char* content);
    String arg(String name);
};
