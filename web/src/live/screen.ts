import type { LiveFrame } from './wire';

/** What a picture's way tells the one that shows it. */
export interface FrameEvents {
  /** A frame came from the network; it may yet be passed over. */
  received(frame: LiveFrame): void;
  /** Shows a picture. The bitmap is closed afterwards. */
  show(picture: ImageBitmap, frame: LiveFrame): void;
  /** A frame was passed over: a newer one came before it could be shown, or it could not be read. */
  passedOver(frame: LiveFrame): void;
}

interface Waiting {
  frame: LiveFrame;
  done: (shown: boolean) => void;
}

/**
 * Shows the newest of the frames that come, by whatever way. They wait nowhere: while one is decoded the next may
 * come, and of those that came only the newest is shown.
 */
export class Screen {
  #events: FrameEvents;
  #signal: AbortSignal;
  #newest: Waiting | null = null;
  #showing = false;
  #shownAt = -Infinity;

  constructor(events: FrameEvents, signal: AbortSignal) {
    this.#events = events;
    this.#signal = signal;
  }

  /** Takes a frame; resolves when it is on the screen (true) or passed over. */
  take(frame: LiveFrame): Promise<boolean> {
    this.#events.received(frame);
    return new Promise((done) => {
      // While pictures change their way, the slower one's come late.
      if (frame.capturedAt < (this.#newest?.frame.capturedAt ?? this.#shownAt)) {
        this.#pass({ frame, done });
        return;
      }
      if (this.#newest) this.#pass(this.#newest);
      this.#newest = { frame, done };
      if (!this.#showing) void this.#showAll();
    });
  }

  /** The hub's clock may have been set back: what comes next is new whatever its time. */
  reset() {
    this.#shownAt = -Infinity;
  }

  #pass({ frame, done }: Waiting) {
    this.#events.passedOver(frame);
    done(false);
  }

  async #showAll() {
    this.#showing = true;
    while (this.#newest && !this.#signal.aborted) {
      const next: Waiting = this.#newest;
      this.#newest = null;
      this.#shownAt = next.frame.capturedAt;
      next.done(await this.#showOne(next.frame));
    }
    this.#showing = false;
  }

  async #showOne(frame: LiveFrame): Promise<boolean> {
    let picture: ImageBitmap;
    try {
      picture = await createImageBitmap(new Blob([frame.jpeg], { type: 'image/jpeg' }));
    } catch {
      // A picture the browser cannot read is no reason to end: the next one may be whole.
      this.#events.passedOver(frame);
      return false;
    }
    // Who looked may have gone while it was decoded.
    if (!this.#signal.aborted) this.#events.show(picture, frame);
    picture.close();
    return true;
  }
}
