"""What a camera process prints, line by line."""

import queue
import re
import time

ANSWER_SECONDS = 30


class Lines:
    """Filled by whoever reads the process."""

    def __init__(self):
        self.lines = queue.SimpleQueue()

    def expect(self, pattern, seconds=ANSWER_SECONDS):
        """The match of the next line that is wholly like that; lines before it are passed over."""
        end = time.monotonic() + seconds
        while True:
            line = self.lines.get(timeout=max(end - time.monotonic(), 0.01))
            if match := re.fullmatch(pattern, line):
                return match
