// Measures temperatures and sends them as datagrams, at low priority on the radio's core.
#pragma once

namespace sensor_task {

void begin();

}  // namespace sensor_task
