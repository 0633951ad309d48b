// Ways back into a board that can't be reached: a network that was never joined, a long press, three quick resets.
#pragma once

namespace rescue {

/// Whether this start opens the portal although the board is set up. Before the image sensor, whose clock the button
/// shares; takes a second and a half, and the lamp is lit in it.
bool wants_portal();
/// Call again and again while the board runs as usual.
void tend();

}  // namespace rescue
