#include "link.h"

namespace larder {

namespace {

// A hub that says nothing for so many of its own intervals is gone.
constexpr uint32_t kSilentIntervals = 3;
constexpr uint32_t kLeastIntervalMs = 1000;
// What still comes when the time is over is taken for so long: an update is not to hold up the pictures.
constexpr uint32_t kMostOverMs = 1000;
constexpr SendLimits kByeLimits = {300, 300};

uint64_t micros(uint32_t ms) { return static_cast<uint64_t>(ms) * 1000; }
uint32_t at_least(uint32_t ms) { return ms > kLeastIntervalMs ? ms : kLeastIntervalMs; }

}  // namespace

Link::Link(const uint8_t key[kKeyLen], Stream* stream, Board* board, UpdateReceiver* update)
    : stream_(stream),
      board_(board),
      update_(update),
      session_(key),
      welcome_(),
      is_open_(false),
      wants_restart_(false),
      reason_(Bye::None),
      welcomed_us_(0),
      heard_us_(0),
      told_us_(0),
      stood_ms_(0) {}

Bye Link::open(const Place& hub) {
    stood_ms_ = 0;
    welcomed_us_ = 0;
    inbox_.clear();
    reason_ = stream_->connect(hub, kConnectMs) ? prove(board_->now_us() + micros(kHandshakeMs)) : Bye::Lost;
    // Whoever did not prove to be the hub is told nothing, not even why.
    if (reason_ != Bye::None) stream_->close();
    return reason_;
}

Bye Link::prove(uint64_t until_us) {
    Hello hello;
    board_->describe(&hello);
    board_->random(hello.nonce, sizeof hello.nonce);
    if (!write(out_, session_.hello(hello, board_->now_us(), out_))) return Bye::Lost;

    Packet packet;
    Bye fault;
    if (!next(&packet, until_us, &fault)) return fault;
    HubProof hub;
    fault = session_.challenge(packet, board_->now_us(), out_, &hub);
    if (fault != Bye::None) return fault;
    if (!write(out_, kAuthMessageLen)) return Bye::Lost;

    inbox_.set_proven();
    if (!next(&packet, until_us, &fault)) return fault;
    fault = session_.welcome(packet, &welcome_);
    if (fault != Bye::None) return fault;

    is_open_ = true;
    wants_restart_ = false;
    welcomed_us_ = heard_us_ = board_->now_us();
    // The first TELEMETRY goes out at once.
    told_us_ = 0;
    board_->welcomed(welcome_, hub);
    return Bye::None;
}

bool Link::next(Packet* packet, uint64_t until_us, Bye* fault) {
    while (!inbox_.next(packet, fault)) {
        if (*fault != Bye::None) return false;
        const uint64_t now_us = board_->now_us();
        if (now_us >= until_us) {
            *fault = Bye::HandshakeTooSlow;
            return false;
        }
        size_t room;
        uint8_t* to = inbox_.room(&room);
        const int came = stream_->receive(to, room, static_cast<uint32_t>((until_us - now_us) / 1000 + 1));
        if (came < 0) {
            *fault = Bye::Lost;
            return false;
        }
        inbox_.add(static_cast<size_t>(came));
    }
    return true;
}

bool Link::poll(uint32_t wait_ms) {
    const uint64_t until_us = board_->now_us() + micros(wait_ms);
    while (is_open_) {
        Packet packet;
        Bye fault;
        while (inbox_.next(&packet, &fault)) {
            if (!hear(packet)) return false;
        }
        if (fault != Bye::None) return end(fault);
        uint64_t now_us = board_->now_us();
        if (now_us - heard_us_ > micros(kSilentIntervals * at_least(welcome_.ping_interval_ms))) return end(Bye::Idle);
        if (told_us_ == 0 || now_us - told_us_ >= micros(at_least(welcome_.telemetry_interval_ms))) {
            if (!tell()) return false;
            now_us = board_->now_us();
        }
        size_t room;
        uint8_t* to = inbox_.room(&room);
        const uint32_t left_ms = now_us < until_us ? static_cast<uint32_t>((until_us - now_us) / 1000) : 0;
        const int came = stream_->receive(to, room, left_ms < kLeastIntervalMs ? left_ms : kLeastIntervalMs);
        if (came < 0) return end(Bye::Lost);
        inbox_.add(static_cast<size_t>(came));
        now_us = board_->now_us();
        if (now_us >= until_us + (came > 0 ? micros(kMostOverMs) : 0)) return true;
    }
    return false;
}

bool Link::hear(const Packet& packet) {
    const Bye fault = session_.receive(packet);
    if (fault != Bye::None) return end(fault);
    heard_us_ = board_->now_us();
    board_->alive();
    Reader in(packet.payload, packet.header.length);
    switch (packet.header.kind) {
        case Kind::Ping:
        case Kind::Pong: {
            uint8_t echo[8];
            in.bytes(echo, sizeof echo);
            if (!in.is_done()) return end(Bye::Malformed);
            // This side sends no PING: the hub's do for both.
            if (packet.header.kind == Kind::Pong) return true;
            payload().bytes(echo, sizeof echo);
            return say(Kind::Pong, sizeof echo);
        }
        case Kind::Control: return hear_control(&in);
        case Kind::UpdateBegin:
        case Kind::UpdateData:
        case Kind::UpdateEnd:
            // Never sent to a camera that does not say it takes updates.
            return update_ == nullptr ? end(Bye::UnknownType) : hear_update(packet, &in);
        case Kind::Bye: {
            const Bye reason = bye_of(packet.payload, packet.header.length);
            close(Bye::None);
            reason_ = reason;
            return false;
        }
        case Kind::Hello:
        case Kind::Challenge:
        case Kind::Auth:
        case Kind::Welcome:
        case Kind::Frame:
        case Kind::Telemetry:
        case Kind::Ack:
        case Kind::UpdateStatus: return end(Bye::Unexpected);
    }
    return (static_cast<uint8_t>(packet.header.kind) & 0x80) != 0 || end(Bye::UnknownType);
}

bool Link::hear_control(Reader* in) {
    Control control = {};
    if (!control.parse(in)) return end(Bye::Malformed);
    Remark remark;
    const AckResult result = board_->obey(control, &remark);
    Writer out = payload();
    put_ack(control.id, result, remark, &out);
    if (!say(Kind::Ack, out.size())) return false;
    if (control.command != Command::Reboot || result != AckResult::Done) return true;
    wants_restart_ = true;
    return end(Bye::Restarting);
}

bool Link::hear_update(const Packet& packet, Reader* in) {
    Remark remark;
    UpdateResult result;
    if (packet.header.kind == Kind::UpdateBegin) {
        UpdateBegin begin;
        if (!begin.parse(in)) return end(Bye::Malformed);
        result = update_->begin(begin, &remark);
    } else if (packet.header.kind == Kind::UpdateData) {
        const uint32_t offset = in->u32();
        if (!in->ok() || in->left() == 0) return end(Bye::Malformed);
        result = update_->data(offset, in->rest(), in->left(), &remark);
    } else {
        const uint8_t action = in->u8();
        if (!in->is_done() || action < 1 || action > 2) return end(Bye::Malformed);
        result = update_->end(action == 1, &remark);
    }
    Writer out = payload();
    put_update_status(result, update_->next_offset(), remark, &out);
    if (!say(Kind::UpdateStatus, out.size())) return false;
    if (result != UpdateResult::Installed) return true;
    wants_restart_ = true;
    return end(Bye::Restarting);
}

bool Link::tell() {
    told_us_ = board_->now_us();
    Telemetry telemetry = {};
    board_->measure(&telemetry);
    Writer out = payload();
    telemetry.put(&out);
    return say(Kind::Telemetry, out.size());
}

Sent Link::frame(const FrameInfo& info, uint64_t t_us, const uint8_t* jpeg, size_t jpeg_len, uint32_t* stall_ms) {
    *stall_ms = 0;
    if (!is_open_) return Sent::Lost;
    const uint32_t largest = welcome_.largest_frame < kMostFrame ? welcome_.largest_frame : kMostFrame;
    if (jpeg_len + kFramePrefixLen > largest) return Sent::TooLarge;
    FramePacket packet;
    session_.frame(info, t_us, jpeg, jpeg_len, &packet);
    const Part parts[] = {{packet.head, sizeof packet.head}, {jpeg, jpeg_len}, {packet.trailer, packet.trailer_len}};
    if (stream_->send(parts, 3, kSendLimits, stall_ms)) {
        board_->alive();
        return Sent::Whole;
    }
    // Half a message may be on its way: nothing else may follow it.
    is_open_ = false;
    close(Bye::None);
    reason_ = Bye::Lost;
    return Sent::Lost;
}

void Link::close(Bye reason) {
    if (is_open_ && reason != Bye::None && reason != Bye::Lost) {
        uint32_t stall_ms;
        const Part part = {out_, session_.bye(reason, board_->now_us(), out_)};
        stream_->send(&part, 1, kByeLimits, &stall_ms);
    }
    if (welcomed_us_ != 0) stood_ms_ = welcomed_for_ms();
    welcomed_us_ = 0;
    is_open_ = false;
    reason_ = reason;
    stream_->close();
    if (update_ != nullptr) update_->forget();
}

uint32_t Link::welcomed_for_ms() const {
    return welcomed_us_ == 0 ? stood_ms_ : static_cast<uint32_t>((board_->now_us() - welcomed_us_) / 1000);
}

bool Link::write(const uint8_t* data, size_t count) {
    uint32_t stall_ms;
    const Part part = {data, count};
    if (!stream_->send(&part, 1, kSendLimits, &stall_ms)) return false;
    board_->alive();
    return true;
}

bool Link::say(Kind kind, size_t payload_len) {
    return write(out_, session_.seal(kind, board_->now_us(), payload_len, out_)) || end(Bye::Lost);
}

bool Link::end(Bye reason) {
    close(reason);
    return false;
}

}  // namespace larder
