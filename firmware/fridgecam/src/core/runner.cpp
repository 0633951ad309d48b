#include "runner.h"

namespace larder {

namespace {

constexpr uint32_t kMostWaitMs = 1000;

}  // namespace

Runner::Runner(Link* link, Board* board, Eye* eye, Watcher* watcher, Finder* finder)
    : link_(link),
      board_(board),
      eye_(eye),
      watcher_(watcher),
      finder_(finder),
      next_place_(0),
      all_refused_(true),
      hub_(),
      has_hub_(false),
      dial_at_ms_(0),
      frame_at_ms_(0),
      quality_(0),
      was_open_(false),
      has_dialled_(false) {}

uint32_t Runner::step() {
    if (!link_->is_open()) {
        if (was_open_) return ended(link_->reason());
        const uint32_t left = until_dial_ms();
        return left > 0 ? left : dial();
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

bool Runner::hub(Place* place) const {
    *place = hub_;
    return has_hub_;
}

uint32_t Runner::dial() {
    has_dialled_ = true;
    if (next_place_ == 0) {
        places_.clear();
        finder_->find(&places_);
        all_refused_ = places_.count() > 0;
        board_->alive();
        if (places_.count() == 0) return ended(Bye::Lost);
    }
    const Place place = places_[next_place_++];
    const Bye reason = link_->open(place);
    board_->alive();
    if (reason == Bye::None) {
        hub_ = place;
        has_hub_ = true;
        opened();
        return 0;
    }
    all_refused_ = all_refused_ && is_refusal(reason);
    // The hub may be behind another of its addresses, or this is another's hub: all are tried before a rest.
    if (next_place_ < places_.count()) return 0;
    return ended(!is_refusal(reason) || all_refused_ ? reason : Bye::Lost);
}

void Runner::opened() {
    was_open_ = true;
    next_place_ = 0;
    if (counts_.sent > 0 || counts_.dropped > 0) counts_.reconnects++;
    frame_at_ms_ = static_cast<uint32_t>(board_->now_us() / 1000);
    quality_ = 0;
    watcher_->opened();
}

uint32_t Runner::ended(Bye reason) {
    was_open_ = false;
    next_place_ = 0;
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
    const bool is_there = eye_->take(&picture);
    board_->alive();
    if (!is_there) return;
    const uint32_t number = counts_.captured++;
    FrameInfo info = {number, 0, 0, picture.quality, picture.flags, 65535};
    picture.jpeg_len = jpeg_length(picture.jpeg, picture.jpeg_len);
    if (picture.jpeg_len > 0 && jpeg_size(picture.jpeg, picture.jpeg_len, &info.width, &info.height)) {
        send(picture, &info);
    } else {
        counts_.corrupt++;
    }
    eye_->give_back();
}

void Runner::send(const Picture& picture, FrameInfo* info) {
    const uint64_t began_us = board_->now_us();
    const uint64_t queued_ms = (began_us - picture.t_us) / 1000;
    if (queued_ms < info->queued_ms) info->queued_ms = static_cast<uint16_t>(queued_ms);
    uint32_t stall_ms;
    const Sent sent = link_->frame(*info, picture.t_us, picture.jpeg, picture.jpeg_len, &stall_ms);
    const uint64_t ended_us = board_->now_us();
    const uint32_t ended_ms = static_cast<uint32_t>(ended_us / 1000);
    if (sent != Sent::Whole) {
        counts_.dropped++;
        if (ended_us - began_us >= kSendLimits.total_ms * 1000ull) pace_.gave_up(ended_ms);
        return;
    }
    const uint32_t took_ms = static_cast<uint32_t>((ended_us - began_us) / 1000);
    counts_.went_out(took_ms, stall_ms);
    pace_.saw(static_cast<uint32_t>(picture.jpeg_len), ended_ms);
    pace_.sent(took_ms, ended_ms);
    watcher_->sent(picture, info->number);
}

}  // namespace larder
