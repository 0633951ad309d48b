// Stub: esp-idf 4.4 and 5.1, components/freertos: semphr.h, where these are macros. Declared as sketches use them.
#pragma once

#include "FreeRTOS.h"

typedef struct QueueDefinition* SemaphoreHandle_t;
SemaphoreHandle_t xSemaphoreCreateMutex();
BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks);
BaseType_t xSemaphoreGive(SemaphoreHandle_t semaphore);
