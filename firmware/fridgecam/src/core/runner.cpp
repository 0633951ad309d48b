#include "runner.h"

namespace larder {

namespace {

constexpr uint32_t kMostWaitMs = 1000;
// A driver's buffer is a multiple of its transfers: this much may follow a picture's end.
constexpr size_t kMostPadding = 1024;

}  // namespace

size_t jpeg_length(const uint8_t* jpeg, size_t count) {
    if (count < 4 || jpeg[0] != 0xff || jpeg[1] != 0xd8) return 0;
    const size_t least = count > kMostPadding ? count - kMostPadding : 2;
    for (size_t end = count; end >= least + 2; end--) {
        if (jpeg[end - 2] == 0xff && jpeg[end - 1] == 0xd9) return end;
    }
    return 0;
}

Runner::Runner(Link* link, Board* board, Eye* eye, Watcher* watcher)
    : link_(link),
      board_(board),
      eye_(eye),
      watcher_(watcher),
      dial_at_ms_(0),
      frame_at_ms_(0),
      quality_(0),
      was_open_(false),
      has_dialled_(false) {}

uint32_t Runner::step(const char* host, uint16_t port) {
    if (!link_->is_open()) {
        if (was_open_) return ended(link_->reason());
        const uint32_t left = until_dial_ms();
        return left > 0 ? left : dial(host, port);
    }
    uint32_t now_ms = static_cast<uint32_t>(board_->now_us() / 1000);
    const int32_t left = static_cast<int32_t>(frame_at_ms_ - now_ms);
    const uint32_t wait = left > 0 ? static_cast<uint32_t>(left) : 0;
    if (!link_->poll(wait < kMostWaitMs ? wait : kMostWaitMs)) return 0;
    now_ms = static_cast<uint32_t>(board_->now_us() / 1000);
    if (static_cast<int32_t>(frame_at_ms_ - now_ms) <= 0) show(now_ms);
    return 0;
}

uint32_t Runner::until_dial_ms() {
    if (link_->is_open() || !has_dialled_) return 0;
    const int32_t left = static_cast<int32_t>(dial_at_ms_ - static_cast<uint32_t>(board_->now_us() / 1000));
    return left > 0 ? static_cast<uint32_t>(left) : 0;
}

uint32_t Runner::dial(const char* host, uint16_t port) {
    has_dialled_ = true;
    const Bye reason = link_->open(host, port);
    if (reason != Bye::None) return ended(reason);
    was_open_ = true;
    if (counts_.sent > 0 || counts_.dropped > 0) counts_.reconnects++;
    frame_at_ms_ = static_cast<uint32_t>(board_->now_us() / 1000);
    quality_ = 0;
    watcher_->opened();
    return 0;
}

uint32_t Runner::ended(Bye reason) {
    was_open_ = false;
    uint32_t random;
    board_->random(reinterpret_cast<uint8_t*>(&random), sizeof random);
    const uint32_t wait = backoff_.after(reason, link_->welcomed_for_ms(), random);
    dial_at_ms_ = static_cast<uint32_t>(board_->now_us() / 1000) + wait;
    watcher_->ended(reason, wait);
    return wait;
}

void Runner::show(uint32_t now_ms) {
    // From when it was due, so that the rate holds; but what was missed is not caught up on.
    const uint32_t interval = pace_.interval_ms(now_ms);
    frame_at_ms_ += interval;
    if (static_cast<int32_t>(frame_at_ms_ - now_ms) <= 0) {
        const uint32_t missed = (now_ms - frame_at_ms_) / interval + 1;
        counts_.dropped += missed;
        counts_.captured += missed;
        frame_at_ms_ += missed * interval;
    }
    if (quality_ != pace_.quality()) eye_->set_quality(quality_ = pace_.quality());
    Picture picture;
    if (!eye_->take(&picture)) return;
    const uint32_t number = counts_.captured++;
    picture.jpeg_len = jpeg_length(picture.jpeg, picture.jpeg_len);
    if (picture.jpeg_len == 0) {
        counts_.corrupt++;
        eye_->give_back();
        return;
    }
    const uint64_t began_us = board_->now_us();
    const uint64_t queued_ms = (began_us - picture.t_us) / 1000;
    FrameInfo info = {number, picture.width, picture.height, picture.quality, picture.flags, 65535};
    if (queued_ms < info.queued_ms) info.queued_ms = static_cast<uint16_t>(queued_ms);
    uint32_t stall_ms;
    const Sent sent = link_->frame(info, picture.t_us, picture.jpeg, picture.jpeg_len, &stall_ms);
    const uint64_t ended_us = board_->now_us();
    const uint32_t took_ms = static_cast<uint32_t>((ended_us - began_us) / 1000);
    if (sent == Sent::Whole) {
        counts_.went_out(took_ms, stall_ms);
        pace_.saw(static_cast<uint32_t>(picture.jpeg_len), static_cast<uint32_t>(ended_us / 1000));
        pace_.sent(took_ms, static_cast<uint32_t>(ended_us / 1000));
        watcher_->sent(picture, number);
    } else {
        counts_.dropped++;
    }
    eye_->give_back();
}

}  // namespace larder
