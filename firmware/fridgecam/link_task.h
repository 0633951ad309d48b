// Takes pictures and sends them; hears and obeys the hub. One task on the application's core owns all of it.
#pragma once

namespace link_task {

void begin();

}  // namespace link_task
