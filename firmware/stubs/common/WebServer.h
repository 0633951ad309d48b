// Stub: arduino-esp32, libraries/WebServer/src: WebServer.h (read at commit 09a982e; `on` returns a RequestHandler in
// core 3) and Uri.h (read at commit 6642427). `arg` takes its name by value in core 2 and by reference in core 3.
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
