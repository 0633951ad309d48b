// lwIP in this process, and the line that its packets take from one end of a connection to the other.
#pragma once

namespace line {

/// Starts lwIP; returns when it runs. Once for a process.
void start();
/// From now on one packet in `every` is lost; 1: each; 0: none.
void lose(unsigned every);

}  // namespace line
