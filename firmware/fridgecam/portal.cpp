#include "portal.h"

#include <Arduino.h>
#include <DNSServer.h>
#include <WebServer.h>
#include <WiFi.h>

#include "console_task.h"
#include "src/core/lockout.h"
#include "state.h"

namespace portal {

namespace {

const char kPage[] PROGMEM =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>fridgecam</title><style>body{font:1rem system-ui;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "label{display:block;margin:1rem 0 .25rem}input,textarea{width:100%;box-sizing:border-box;font:inherit}"
    "button{margin-top:1rem;font:inherit}</style><h1>fridgecam</h1><form method=post action=/set>"
    "<label for=s>Wi-Fi network</label><input id=s name=ssid maxlength=32 required>"
    "<label for=p>Its password</label><input id=p name=password type=password maxlength=64>"
    "<label for=l>The line that <code>larderctl camera add</code> printed (empty: as it was)</label>"
    "<textarea id=l name=line rows=4></textarea><button>Keep and restart</button></form>";

DNSServer names;
WebServer server(80);
bool open;
uint32_t used_ms;
bool is_kept;
uint32_t kept_ms;

// The answer goes out first.
constexpr uint32_t kAnswerMs = 1500;

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

void show() {
    used_ms = millis();
    server.send(200, "text/html", kPage);
}

void set() {
    used_ms = millis();
    char line[320];
    larder::unwrap(server.arg("line").c_str(), line, sizeof line);
    const String wifi = "wifi " + quoted(server.arg("ssid")) + " " + quoted(server.arg("password"));
    const char* network = console_task::enter(wifi.c_str());
    const bool as_it_was = line[0] == 0 && state::settings().has_camera;
    const char* camera = as_it_was ? console_task::kKept : console_task::enter(line);
    if (!as_it_was && line[0] == 0) camera = "the line is missing";
    server.send(200, "text/plain", String("Wi-Fi: ") + network + "\nCamera: " + camera + "\n");
    is_kept = network == console_task::kKept && camera == console_task::kKept;
    kept_ms = used_ms;
}

}  // namespace

void begin() {
    used_ms = millis();
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
    const uint32_t now_ms = millis();
    if (is_kept && now_ms - kept_ms >= kAnswerMs) ESP.restart();
    // A network that was away may be back; nobody is here to say otherwise.
    if (state::settings().is_complete() && now_ms - used_ms >= larder::kUnusedPortalMs) ESP.restart();
}

}  // namespace portal
