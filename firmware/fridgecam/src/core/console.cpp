#include "console.h"

#include <stdio.h>

namespace larder {

namespace {

constexpr size_t kMostWords = 5;
constexpr size_t kMostWord = 160;

struct Words {
    char word[kMostWords][kMostWord];
    size_t count;
};

/// Splits at blanks; a word in quotes may hold some, and a backslash keeps the next character.
bool split(const char* line, Words* words) {
    words->count = 0;
    for (;;) {
        while (*line == ' ' || *line == '\t') line++;
        if (*line == 0) return true;
        if (words->count == kMostWords) return false;
        char* to = words->word[words->count++];
        size_t size = 0;
        bool quoted = false;
        for (; *line != 0 && (quoted || (*line != ' ' && *line != '\t')); line++) {
            if (*line == '"') {
                quoted = !quoted;
                continue;
            }
            if (*line == '\\' && line[1] != 0) line++;
            if (size + 1 == kMostWord) return false;
            to[size++] = *line;
        }
        if (quoted) return false;
        to[size] = 0;
    }
}

int digit(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

bool copy(const char* from, char* to, size_t room) {
    const size_t size = strlen(from);
    if (size >= room) return false;
    memcpy(to, from, size + 1);
    return true;
}

const char kWrongHub[] = "a hub is HOST or HOST:PORT";
// The board's Wi-Fi is not set up for it, and no name is asked for such an address.
const char kNoIpv6[] = "IPv6 addresses do not work here: give the hub's name or its IPv4 address";

/// HOST or HOST:PORT. Null when it is one, else why not.
const char* parse_hub(char* text, Settings* settings) {
    char* port = strrchr(text, ':');
    if (*text == '[' || (port != nullptr && strchr(text, ':') != port)) return kNoIpv6;
    unsigned long number = kLinkPort;
    if (port != nullptr) {
        *port++ = 0;
        number = 0;
        if (*port == 0) return kWrongHub;
        for (; *port != 0; port++) {
            if (digit(*port) < 0 || digit(*port) > 9) return kWrongHub;
            number = number * 10 + static_cast<unsigned long>(digit(*port));
            if (number > 65535) return kWrongHub;
        }
    }
    if (*text == 0 || number == 0 || !copy(text, settings->hub, sizeof settings->hub)) return kWrongHub;
    settings->hub_port = static_cast<uint16_t>(number);
    return nullptr;
}

/// The value of "name=value", or null.
char* value_of(char* word, const char* name) {
    const size_t size = strlen(name);
    return strncmp(word, name, size) == 0 && word[size] == '=' ? word + size + 1 : nullptr;
}

LineResult bad(const char* reason, const char** why) {
    *why = reason;
    return LineResult::Bad;
}

LineResult read_larder(Words* words, Settings* settings, const char** why) {
    bool has_id = false, has_key = false;
    for (size_t at = 1; at < words->count; at++) {
        char* word = words->word[at];
        char* value;
        if ((value = value_of(word, "hub")) != nullptr) {
            const char* wrong = parse_hub(value, settings);
            if (wrong != nullptr) return bad(wrong, why);
        } else if ((value = value_of(word, "camera")) != nullptr) {
            has_id = parse_uuid(value, settings->camera);
            if (!has_id) return bad("camera= wants a UUID", why);
        } else if ((value = value_of(word, "key")) != nullptr) {
            has_key = parse_hex(value, settings->key, kKeyLen);
            if (!has_key) return bad("key= wants 64 hexadecimal digits", why);
        } else {
            return bad("only hub=, camera= and key= are known", why);
        }
    }
    if (!has_id || !has_key) return bad("camera= and key= are needed", why);
    settings->has_camera = true;
    return LineResult::Changed;
}

LineResult read_words(Words* words, Settings* settings, const char** why) {
    const char* verb = words->word[0];
    const size_t rest = words->count - 1;
    if (strcmp(verb, "show") == 0 && rest == 0) return LineResult::Show;
    if (strcmp(verb, "help") == 0 && rest == 0) return LineResult::Help;
    if (strcmp(verb, "reboot") == 0 && rest == 0) return LineResult::Reboot;
    if (strcmp(verb, "forget") == 0 && rest == 0) return LineResult::Forget;
    if (strcmp(verb, "probes") == 0 && rest == 1 && strcmp(words->word[1], "forget") == 0) {
        return LineResult::ForgetProbes;
    }
    if (strcmp(verb, "larder") == 0) return read_larder(words, settings, why);
    if (strcmp(verb, "wifi") == 0 && (rest == 1 || rest == 2)) {
        if (words->word[1][0] == 0 || !copy(words->word[1], settings->ssid, sizeof settings->ssid)) {
            return bad("a network's name has 1 to 32 bytes", why);
        }
        const char* password = rest == 2 ? words->word[2] : "";
        const size_t size = strlen(password);
        if (size != 0 && (size < 8 || size > 64)) return bad("a password has 8 to 64 bytes, or none", why);
        copy(password, settings->password, sizeof settings->password);
        return LineResult::Changed;
    }
    if (strcmp(verb, "hub") == 0 && rest == 1) {
        if (strcmp(words->word[1], "auto") == 0) {
            settings->hub[0] = 0;
            settings->hub_port = 0;
            return LineResult::Changed;
        }
        const char* wrong = parse_hub(words->word[1], settings);
        return wrong == nullptr ? LineResult::Changed : bad(wrong, why);
    }
    if (strcmp(verb, "xclk") == 0 && rest == 1) {
        static const char* const known[] = {"8", "10", "16", "20"};
        static const uint8_t values[] = {8, 10, 16, 20};
        for (size_t at = 0; at < 4; at++) {
            if (strcmp(words->word[1], known[at]) != 0) continue;
            settings->xclk_mhz = values[at];
            return LineResult::Changed;
        }
        return bad("xclk is 8, 10, 16 or 20", why);
    }
    return bad("unknown; try help", why);
}

}  // namespace

const char kConsoleHelp[] =
    "wifi \"name\" \"password\"\n"
    "larder hub=HOST:PORT camera=UUID key=HEX   as larderctl camera add prints it\n"
    "hub HOST[:PORT], hub auto                  where the hub is\n"
    "xclk 8|10|16|20                            MHz of the image sensor\n"
    "probes forget                              gives the thermometers their numbers anew\n"
    "show, help, reboot, forget\n";

LineResult read_line(const char* line, Settings* settings, const char** why) {
    *why = "";
    Words words;
    if (!split(line, &words)) return bad("too many words, or a quote without its end", why);
    if (words.count == 0) return LineResult::Empty;
    Settings changed = *settings;
    const LineResult result = read_words(&words, &changed, why);
    if (result == LineResult::Changed) *settings = changed;
    return result;
}

void unwrap(const char* pasted, char* to, size_t room) {
    static const char* const names[] = {"hub=", "camera=", "key="};
    size_t size = 0;
    bool is_broken = false;
    for (; *pasted != 0; pasted++) {
        if (*pasted == '\r' || *pasted == '\n') {
            is_broken = true;
            continue;
        }
        bool begins_word = false;
        for (const char* name : names) begins_word = begins_word || strncmp(pasted, name, strlen(name)) == 0;
        const bool is_glued = size > 0 && to[size - 1] != ' ';
        if (is_broken && begins_word && is_glued && size + 1 < room) to[size++] = ' ';
        is_broken = false;
        if (size + 1 < room) to[size++] = *pasted;
    }
    to[size] = 0;
}

bool LineBuffer::is_unfinished() {
    line_[size_] = 0;
    if (size_ == 0 || line_[size_ - 1] == '\n') return false;
    char text[sizeof line_];
    unwrap(line_, text, sizeof text);
    if (strncmp(text, "larder ", 7) != 0) return false;
    const char* key = strstr(text, "key=");
    if (key == nullptr) return true;
    size_t digits = 0;
    for (key += 4; digit(*key) >= 0; key++) digits++;
    return *key == 0 && digits < 2 * kKeyLen;
}

const char* LineBuffer::add(char character) {
    if (character == '\r' || character == '\n') {
        // The second half of a line break is none.
        const bool is_second = character == '\n' && was_return_;
        was_return_ = character == '\r';
        if (is_second) return nullptr;
        if (!is_lost_ && size_ + 1 < sizeof line_ && is_unfinished()) {
            line_[size_++] = '\n';
            return nullptr;
        }
        const bool is_whole = size_ > 0 && !is_lost_;
        line_[size_] = 0;
        unwrap(line_, line_, sizeof line_);
        size_ = 0;
        is_lost_ = false;
        return is_whole ? line_ : nullptr;
    }
    was_return_ = false;
    if (character == '\b' || character == 0x7f) {
        if (size_ > 0) size_--;
        return nullptr;
    }
    if (size_ + 1 == sizeof line_) {
        is_lost_ = true;
    } else {
        line_[size_++] = character;
    }
    return nullptr;
}

bool parse_uuid(const char* text, uint8_t to[kUuidLen]) {
    char plain[2 * kUuidLen + 1];
    size_t size = 0;
    for (size_t at = 0; text[at] != 0; at++) {
        if (text[at] == '-' && (at == 8 || at == 13 || at == 18 || at == 23)) continue;
        if (size == 2 * kUuidLen) return false;
        plain[size++] = text[at];
    }
    plain[size] = 0;
    return parse_hex(plain, to, kUuidLen);
}

bool parse_hex(const char* text, uint8_t* to, size_t count) {
    if (strlen(text) != 2 * count) return false;
    for (size_t at = 0; at < count; at++) {
        const int high = digit(text[2 * at]), low = digit(text[2 * at + 1]);
        if (high < 0 || low < 0) return false;
        to[at] = static_cast<uint8_t>(high << 4 | low);
    }
    return true;
}

void format_uuid(const uint8_t uuid[kUuidLen], char to[37]) {
    size_t at = 0;
    for (size_t byte = 0; byte < kUuidLen; byte++) {
        if (byte == 4 || byte == 6 || byte == 8 || byte == 10) to[at++] = '-';
        at += static_cast<size_t>(snprintf(to + at, 3, "%02x", uuid[byte]));
    }
}

}  // namespace larder
