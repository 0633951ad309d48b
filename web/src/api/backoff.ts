// Pauses between attempts: doubled, capped, and spread so that many viewers do not come back at once.

const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/** The pause before attempt `n` (0 is the first repeat), in milliseconds. */
export function pauseBefore(n: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(n, 10));
  return whole / 2 + (random() * whole) / 2;
}

/** Waits, and ends early when aborted. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
