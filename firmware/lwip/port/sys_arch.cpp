// lwIP's threads, semaphores and mailboxes on this machine. Mailboxes are as long as the board's: a full one refuses.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>

extern "C" {
#include "lwip/sys.h"
}

namespace {

using Lock = std::unique_lock<std::mutex>;

uint64_t now_ms() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::recursive_mutex protection;

/// Waits for a condition; `timeout_ms` 0: for ever. False when the time is over.
template <typename Condition>
bool wait(std::condition_variable* changed, Lock* lock, u32_t timeout_ms, Condition condition) {
    if (timeout_ms == 0) {
        changed->wait(*lock, condition);
        return true;
    }
    return changed->wait_for(*lock, std::chrono::milliseconds(timeout_ms), condition);
}

}  // namespace

struct fridgecam_sem {
    std::mutex mutex;
    std::condition_variable changed;
    unsigned count = 0;
};

struct fridgecam_mbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<void*> messages;
    size_t most;
};

extern "C" {

void sys_init(void) {}

u32_t sys_now(void) { return static_cast<u32_t>(now_ms()); }

u32_t sys_jiffies(void) { return sys_now(); }

sys_prot_t sys_arch_protect(void) {
    protection.lock();
    return 0;
}

void sys_arch_unprotect(sys_prot_t) { protection.unlock(); }

err_t sys_sem_new(sys_sem_t* sem, u8_t count) {
    *sem = new fridgecam_sem;
    (*sem)->count = count;
    return ERR_OK;
}

void sys_sem_free(sys_sem_t* sem) { delete *sem; }

void sys_sem_signal(sys_sem_t* sem) {
    // Under the lock: whoever waits may free it as soon as it is woken.
    const Lock lock((*sem)->mutex);
    (*sem)->count++;
    (*sem)->changed.notify_one();
}

u32_t sys_arch_sem_wait(sys_sem_t* sem, u32_t timeout_ms) {
    fridgecam_sem* const self = *sem;
    Lock lock(self->mutex);
    if (!wait(&self->changed, &lock, timeout_ms, [self] { return self->count > 0; })) return SYS_ARCH_TIMEOUT;
    self->count--;
    return 0;
}

sys_sem_t* thread_semaphore(void) {
    // As long as the thread.
    static thread_local fridgecam_sem own;
    static thread_local sys_sem_t handle = &own;
    return &handle;
}

err_t sys_mbox_new(sys_mbox_t* box, int size) {
    *box = new fridgecam_mbox;
    (*box)->most = static_cast<size_t>(size);
    return ERR_OK;
}

void sys_mbox_free(sys_mbox_t* box) { delete *box; }

err_t sys_mbox_trypost(sys_mbox_t* box, void* message) {
    const Lock lock((*box)->mutex);
    if ((*box)->messages.size() >= (*box)->most) return ERR_MEM;
    (*box)->messages.push_back(message);
    (*box)->changed.notify_all();
    return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t* box, void* message) { return sys_mbox_trypost(box, message); }

void sys_mbox_post(sys_mbox_t* box, void* message) {
    fridgecam_mbox* const self = *box;
    Lock lock(self->mutex);
    self->changed.wait(lock, [self] { return self->messages.size() < self->most; });
    self->messages.push_back(message);
    self->changed.notify_all();
}

u32_t sys_arch_mbox_fetch(sys_mbox_t* box, void** message, u32_t timeout_ms) {
    fridgecam_mbox* const self = *box;
    Lock lock(self->mutex);
    if (!wait(&self->changed, &lock, timeout_ms, [self] { return !self->messages.empty(); })) return SYS_ARCH_TIMEOUT;
    if (message != nullptr) *message = self->messages.front();
    self->messages.pop_front();
    self->changed.notify_all();
    return 0;
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t* box, void** message) {
    const Lock lock((*box)->mutex);
    if ((*box)->messages.empty()) return SYS_MBOX_EMPTY;
    if (message != nullptr) *message = (*box)->messages.front();
    (*box)->messages.pop_front();
    (*box)->changed.notify_all();
    return 0;
}

sys_thread_t sys_thread_new(const char*, lwip_thread_fn run, void* argument, int, int) {
    std::thread(run, argument).detach();
    return 0;
}

}
