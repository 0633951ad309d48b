// Which way live pictures take. Pure: it is told the time.

/** How pictures come. */
export type Way = 'webtransport' | 'websocket';

/** Why it is not WebTransport; null when nothing speaks against it. */
export type Obstacle = 'insecure' | 'unsupported' | 'unreachable' | null;

const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

/** Prefers WebTransport. Where it fails, WebSocket serves, and WebTransport is tried again after longer and longer. */
export class Choice {
  #missing: Obstacle;
  #failures = 0;
  #retryAt = 0;

  constructor(page: { secure: boolean; supported: boolean }) {
    // Browsers hide it from pages over plain HTTP, which says more than that it is missing.
    this.#missing = !page.secure ? 'insecure' : !page.supported ? 'unsupported' : null;
  }

  /** The way to begin with now. */
  way(now: number): Way {
    return this.pause(now) === 0 ? 'webtransport' : 'websocket';
  }

  /** Milliseconds until WebTransport may be tried; null for never. */
  pause(now: number): number | null {
    return this.#missing ? null : Math.max(0, this.#retryAt - now);
  }

  /** What stands in the way of WebTransport. */
  get obstacle(): Obstacle {
    return this.#missing ?? (this.#failures > 0 ? 'unreachable' : null);
  }

  /** WebTransport did not come about, or was lost. */
  failed(now: number) {
    // Several cameras that fail at once are one failure.
    if (now < this.#retryAt) return;
    this.#retryAt = now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(10, this.#failures));
    this.#failures += 1;
  }

  /** Pictures come over WebTransport. */
  worked() {
    this.#failures = 0;
    this.#retryAt = 0;
  }

  /** The network changed: what failed may work now. */
  soon() {
    this.#retryAt = 0;
  }
}
