// A camera's day: dial, prove, take, send, and again. The same on the board and on a host.
#pragma once

#include "backoff.h"
#include "jpeg.h"
#include "link.h"
#include "pace.h"
#include "statistics.h"

namespace larder {

/// A picture as it was taken. Its memory belongs to the eye until it is given back. Its size stands in the JPEG: what a
/// driver says of it may be of another picture.
struct Picture {
    const uint8_t* jpeg;
    size_t jpeg_len;
    uint8_t quality;
    uint8_t flags;
    /// When it was taken.
    uint64_t t_us;
};

/// What takes pictures.
class Eye {
public:
    virtual ~Eye() {}
    /// False when there is none now.
    virtual bool take(Picture* picture) = 0;
    virtual void give_back() = 0;
    /// The quality of pictures from now on.
    virtual void set_quality(uint8_t quality) = 0;
};

/// Knows where the hub may be.
class Finder {
public:
    virtual ~Finder() {}
    /// Adds every place where it may be. Asked once before all of them are dialled; may take long.
    virtual void find(Places* to) = 0;
};

/// What happened, for consoles and lamps.
class Watcher {
public:
    virtual ~Watcher() {}
    virtual void opened() = 0;
    virtual void ended(Bye reason, uint32_t wait_ms) = 0;
    virtual void sent(const Picture& picture, uint32_t number) = 0;
};

class Runner {
public:
    Runner(Link* link, Board* board, Eye* eye, Watcher* watcher, Finder* finder);

    /// Does what is next: takes a second at most, or a dial, a picture or a send. Returns how long nothing will be due,
    /// in milliseconds.
    uint32_t step();

    /// How long until the hub is to be dialled; 0 when that is due, or a session stands.
    uint32_t until_dial_ms();

    /// Where the hub answered last; false before it ever did.
    bool hub(Place* place) const;

    Pace& pace() { return pace_; }
    FrameCounts& counts() { return counts_; }

private:
    uint32_t dial();
    void opened();
    void show(uint32_t now_ms);
    void send(const Picture& picture, FrameInfo* info);
    uint32_t ended(Bye reason);

    Link* link_;
    Board* board_;
    Eye* eye_;
    Watcher* watcher_;
    Finder* finder_;
    Places places_;
    // The one to dial next; 0: they are to be found first.
    size_t next_place_;
    bool all_refused_;
    Place hub_;
    bool has_hub_;
    Backoff backoff_;
    Pace pace_;
    FrameCounts counts_;
    uint32_t dial_at_ms_;
    uint32_t frame_at_ms_;
    uint8_t quality_;
    bool was_open_;
    bool has_dialled_;
};

}  // namespace larder
