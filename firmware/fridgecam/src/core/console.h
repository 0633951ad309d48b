// What is typed into the board's console or its portal, and what of it is kept.
#pragma once

#include "wire.h"

namespace larder {

constexpr uint16_t kLinkPort = 7440;
constexpr uint16_t kReadingPort = 7441;

/// What a board keeps in its flash. Zero means: not set.
struct Settings {
    char ssid[33];
    char password[65];
    /// Empty: the hub is looked for by mDNS.
    char hub[64];
    uint16_t hub_port;
    bool has_camera;
    uint8_t camera[kUuidLen];
    uint8_t key[kKeyLen];
    uint8_t xclk_mhz;

    bool is_complete() const { return ssid[0] != 0 && has_camera; }
};

/// What a line asks for.
enum class LineResult {
    Empty,
    /// The settings are changed and must be kept.
    Changed,
    Show,
    Help,
    Reboot,
    /// All settings are to be forgotten.
    Forget,
    /// Which thermometer has which index is to be forgotten.
    ForgetProbes,
    Bad,
};

extern const char kConsoleHelp[];

/// Reads one line. When it is bad, the settings stay as they were and `why` points to a fixed text.
///
///     wifi "name" "password"
///     larder hub=HOST:PORT camera=UUID key=HEX       (as `larderctl camera add` prints it)
///     hub HOST[:PORT] | hub auto                      (a name or an IPv4 address)
///     xclk 8|10|16|20
///     show | help | reboot | forget | probes forget
LineResult read_line(const char* line, Settings* settings, const char** why);

/// Takes line breaks out of one pasted line, as terminals and mail programs put them in: in the middle of a word, or in
/// place of a blank. `to` may be `pasted`; what does not fit into `room` is cut.
void unwrap(const char* pasted, char* to, size_t room);

/// Collects characters into lines; a line that is too long is lost whole. A `larder` line goes on over line breaks
/// until its key is whole, or until an empty line.
class LineBuffer {
public:
    LineBuffer() : size_(0), is_lost_(false), was_return_(false) {}
    /// The line that this character ends, or null. Valid until the next call.
    const char* add(char character);

private:
    bool is_unfinished();

    char line_[320];
    size_t size_;
    bool is_lost_;
    bool was_return_;
};

/// "0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291", hyphens optional. False when it is none.
bool parse_uuid(const char* text, uint8_t to[kUuidLen]);
/// Two hexadecimal digits a byte, no more. False when it is something else.
bool parse_hex(const char* text, uint8_t* to, size_t count);
/// Writes 36 characters and their end.
void format_uuid(const uint8_t uuid[kUuidLen], char to[37]);

}  // namespace larder
