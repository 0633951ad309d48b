#include "ota.h"

#include <Arduino.h>
#include <esp_ota_ops.h>

// The Arduino core else marks a new program as good before `setup` has even begun.
extern "C" bool verifyRollbackLater() { return true; }

namespace ota {

namespace {

constexpr uint32_t kTrialMs = 5 * 60 * 1000;

volatile bool is_on_trial;

class Slot : public larder::UpdateSlot {
public:
    uint32_t capacity() override {
        partition_ = esp_ota_get_next_update_partition(nullptr);
        return partition_ == nullptr ? 0 : partition_->size;
    }

    bool begin(uint32_t) override {
        discard();
        partition_ = esp_ota_get_next_update_partition(nullptr);
        // Sectors are erased as they are written: all at once would stand still for seconds.
        is_open_ = partition_ != nullptr && esp_ota_begin(partition_, OTA_WITH_SEQUENTIAL_WRITES, &handle_) == ESP_OK;
        return is_open_;
    }

    bool write(const uint8_t* data, size_t count) override {
        return is_open_ && esp_ota_write(handle_, data, count) == ESP_OK;
    }

    bool activate() override {
        if (!is_open_) return false;
        is_open_ = false;
        return esp_ota_end(handle_) == ESP_OK && esp_ota_set_boot_partition(partition_) == ESP_OK;
    }

    void discard() override {
        if (is_open_) esp_ota_abort(handle_);
        is_open_ = false;
    }

private:
    const esp_partition_t* partition_ = nullptr;
    esp_ota_handle_t handle_ = 0;
    bool is_open_ = false;
};

Slot the_slot;

}  // namespace

void begin() {
    esp_ota_img_states_t found;
    is_on_trial = esp_ota_get_state_partition(esp_ota_get_running_partition(), &found) == ESP_OK &&
                  found == ESP_OTA_IMG_PENDING_VERIFY;
    if (is_on_trial) Serial.println("update: on trial until a hub says welcome");
}

void tend() {
    if (is_on_trial && millis() > kTrialMs) {
        Serial.println("update: no welcome in five minutes; going back");
        esp_ota_mark_app_invalid_rollback_and_reboot();
    }
}

void confirm() {
    if (!is_on_trial) return;
    is_on_trial = false;
    esp_ota_mark_app_valid_cancel_rollback();
}

larder::UpdateSlot* slot() { return &the_slot; }

}  // namespace ota
