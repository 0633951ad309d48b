#include "portal.h"

#include <Arduino.h>
#include <DNSServer.h>
#include <WebServer.h>
#include <WiFi.h>

#include "console_task.h"

namespace portal {

namespace {

const char kPage[] PROGMEM =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>fridgecam</title><style>body{font:1rem system-ui;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "label{display:block;margin:1rem 0 .25rem}input,textarea{width:100%;box-sizing:border-box;font:inherit}"
    "button{margin-top:1rem;font:inherit}</style><h1>fridgecam</h1><form method=post action=/set>"
    "<label for=s>Wi-Fi network</label><input id=s name=ssid maxlength=32 required>"
    "<label for=p>Its password</label><input id=p name=password type=password maxlength=64>"
    "<label for=l>The line that <code>larderctl camera add</code> printed</label>"
    "<textarea id=l name=line rows=4 required></textarea><button>Keep and restart</button></form>";

DNSServer names;
WebServer server(80);
bool open;
uint32_t restart_at_ms;

/// A word of a console line, in quotes.
String quoted(const String& text) {
    String word = "\"";
    for (unsigned at = 0; at < text.length(); at++) {
        const char character = text[at];
        if (character == '"' || character == '\\') word += '\\';
        word += character;
    }
    word += '"';
    return word;
}

void show() { server.send(200, "text/html", kPage); }

void set() {
    String line = server.arg("line");
    line.trim();
    const String wifi = "wifi " + quoted(server.arg("ssid")) + " " + quoted(server.arg("password"));
    const char* one = console_task::enter(wifi.c_str());
    const char* other = console_task::enter(line.c_str());
    server.send(200, "text/plain", String("Wi-Fi: ") + one + "\nCamera: " + other + "\n");
    // After the answer is out.
    if (strncmp(one, "kept", 4) == 0 && strncmp(other, "kept", 4) == 0) restart_at_ms = millis() + 1500;
}

}  // namespace

void begin() {
    WiFi.mode(WIFI_AP);
    WiFi.softAP("fridgecam");
    // Every name leads here, which is how phones find the page.
    names.start(53, "*", WiFi.softAPIP());
    server.on("/set", HTTP_POST, set);
    server.onNotFound(show);
    server.begin();
    open = true;
}

bool is_open() { return open; }

void tend() {
    names.processNextRequest();
    server.handleClient();
    if (restart_at_ms != 0 && static_cast<int32_t>(millis() - restart_at_ms) >= 0) ESP.restart();
}

}  // namespace portal
