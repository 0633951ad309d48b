// Stub: esp-idf 4.4 and 5.1, components/freertos: FreeRTOS.h, task.h. Declared as sketches use them; a tick is 1 ms
// (CONFIG_FREERTOS_HZ 1000 in the cores' sdkconfig.h, read for 2.0 at commit 409ed56).
#pragma once

#include <stdint.h>

typedef int BaseType_t;
typedef unsigned int UBaseType_t;
typedef uint32_t TickType_t;
typedef struct tskTaskControlBlock* TaskHandle_t;
typedef void (*TaskFunction_t)(void*);

#define portMAX_DELAY (static_cast<TickType_t>(0xffffffffUL))
#define portTICK_PERIOD_MS (static_cast<TickType_t>(1))

BaseType_t xTaskCreatePinnedToCore(TaskFunction_t code, const char* name, const uint32_t stack_bytes, void* parameter,
                                   UBaseType_t priority, TaskHandle_t* created, const BaseType_t core);
void vTaskDelay(const TickType_t ticks);
