// One camera's link to its hub: dials, proves, sends, obeys. Owned by one task.
#pragma once

#include "session.h"
#include "tcp.h"
#include "update.h"

namespace larder {

class Clock {
public:
    virtual ~Clock() {}
    /// Monotonic, microseconds.
    virtual uint64_t now_us() = 0;
};

/// The board, as far as the link has to know it.
class Board : public Clock {
public:
    virtual void random(uint8_t* to, size_t count) = 0;
    /// Fills in everything but the nonce.
    virtual void describe(Hello* hello) = 0;
    virtual void measure(Telemetry* telemetry) = 0;
    /// A session stands, and this is wanted.
    virtual void welcomed(const Welcome& welcome, const HubProof& hub) = 0;
    /// Does what a command says. Reboot is acknowledged here and done by whoever asks `wants_restart`.
    virtual AckResult obey(const Control& control, Remark* remark) = 0;
    /// Something was done with success: whoever watches over this task can be told so.
    virtual void alive() {}
};

/// What became of a picture.
enum class Sent { Whole, TooLarge, Lost };

/// Of a message. A hub that got no answer to its PINGs for 30 s ends the session, so a longer send would be in vain.
constexpr SendLimits kSendLimits = {5000, 20000};

class Link {
public:
    static constexpr uint32_t kConnectMs = 5000;
    /// From the moment at which the connection stands.
    static constexpr uint32_t kHandshakeMs = 5000;

    /// `update` may be null.
    Link(const uint8_t key[kKeyLen], Stream* stream, Board* board, UpdateReceiver* update);

    /// Dials and proves. `Bye::None` once a session stands.
    Bye open(const Place& hub);

    /// Takes what came and waits at most so long for more, a second longer while more comes; sends TELEMETRY when it is
    /// due. False once the session has ended.
    bool poll(uint32_t wait_ms);

    /// Sends a picture. `stall_ms`: the longest the line stood still.
    Sent frame(const FrameInfo& info, uint64_t t_us, const uint8_t* jpeg, size_t jpeg_len, uint32_t* stall_ms);

    /// Says BYE and closes.
    void close(Bye reason);

    bool is_open() const { return is_open_; }
    /// Why the last session ended.
    Bye reason() const { return reason_; }
    /// How long the session has stood, or did stand, after WELCOME.
    uint32_t welcomed_for_ms() const;
    /// Whether a command or an update asks for a new start.
    bool wants_restart() const { return wants_restart_; }

private:
    bool next(Packet* packet, uint64_t until_us, Bye* fault);
    Bye prove(uint64_t until_us);
    bool write(const uint8_t* data, size_t count);
    bool say(Kind kind, size_t payload_len);
    bool end(Bye reason);
    bool hear(const Packet& packet);
    bool hear_control(Reader* in);
    bool hear_update(const Packet& packet, Reader* in);
    bool tell();
    Writer payload() { return Writer(out_ + kHeaderLen, sizeof out_ - kHeaderLen - kMacLen); }

    Stream* stream_;
    Board* board_;
    UpdateReceiver* update_;
    Session session_;
    Inbox inbox_;
    Welcome welcome_;
    uint8_t out_[kMostSaid];
    bool is_open_;
    bool wants_restart_;
    Bye reason_;
    uint64_t welcomed_us_;
    uint64_t heard_us_;
    uint64_t told_us_;
    uint32_t stood_ms_;
};

}  // namespace larder
