// What is said under a live picture: its rate, its age and what was skipped. Pure.

/** Figures about a live picture. */
export interface Figures {
  fps: number;
  bytesPerSecond: number;
  /** How old the picture on the screen is; null before the first. */
  ageMs: number | null;
  skipped: number;
}

const WINDOW_MS = 3000;
/** Long enough to have met a quick frame, short enough to follow a clock that drifts. */
const OFFSETS = 300;

/** Counts frames as they are shown. Times are the viewer's, in milliseconds. */
export class Meter {
  #shown: { at: number; bytes: number }[] = [];
  #offsets: number[] = [];
  #skipped = 0;
  #capturedAt: number | null = null;

  /**
   * A frame came over the network. The clocks of hub and viewer need not agree: the quickest of the last
   * frames tells how far apart they are, so an age leaves out the part of the way that all frames share.
   */
  received(now: number, sentAt: number) {
    this.#offsets.push(now - sentAt);
    if (this.#offsets.length > OFFSETS) this.#offsets.shift();
  }

  /** A frame is on the screen. */
  shown(now: number, frame: { capturedAt: number; skipped: number; jpeg: { length: number } }) {
    this.#shown.push({ at: now, bytes: frame.jpeg.length });
    this.#capturedAt = frame.capturedAt;
    this.#skipped += frame.skipped;
    this.#trim(now);
  }

  /** A frame came and was passed over for a newer one. */
  passedOver(frame: { skipped: number }) {
    this.#skipped += frame.skipped + 1;
  }

  figures(now: number): Figures {
    this.#trim(now);
    const first = this.#shown[0];
    const last = this.#shown.at(-1);
    let fps = 0;
    let bytesPerSecond = 0;
    if (first && last && last.at > first.at) {
      // The silence since the last frame counts once it is longer than the usual pause.
      const pause = (last.at - first.at) / (this.#shown.length - 1);
      const elapsed = last.at - first.at + Math.max(0, now - last.at - pause);
      fps = ((this.#shown.length - 1) * 1000) / elapsed;
      bytesPerSecond = (this.#shown.slice(1).reduce((sum, frame) => sum + frame.bytes, 0) * 1000) / elapsed;
    }
    return { fps, bytesPerSecond, ageMs: this.#age(now), skipped: this.#skipped };
  }

  #age(now: number): number | null {
    if (this.#capturedAt === null) return null;
    const offset = this.#offsets.length > 0 ? Math.min(...this.#offsets) : 0;
    return Math.max(0, now - offset - this.#capturedAt);
  }

  #trim(now: number) {
    while (this.#shown[0] && this.#shown[0].at < now - WINDOW_MS) this.#shown.shift();
  }
}
