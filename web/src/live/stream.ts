import { pauseBefore, wait } from '../api/backoff';
import { Choice, type Obstacle, type Way } from './choice';
import type { HubMessage, Wish } from './relay';
import { Screen, type FrameEvents } from './screen';
import { overWebTransport, type Watch } from './session';
import { overSocket } from './socket';
import { CLOSE, type LiveFrame } from './wire';

/** What a live stream tells the one that shows it. */
export interface LiveEvents extends FrameEvents {
  /** Pictures come by this way from now on, and why it is not WebTransport. */
  way(way: Way, obstacle: Obstacle): void;
  /** How the hub sees this view; only over WebTransport. */
  status(status: Extract<HubMessage, { kind: 'status' }>): void;
  /** A connection ended, with the close code. */
  ended(code: number): void;
}

/** What to follow. */
export interface Wanted {
  camera: string;
  /** What is wanted now; asked again and again. */
  wish: () => Wish;
}

/** The ways there are. Each runs until aborted and resolves with the close code. */
export interface Ways {
  choice: Choice;
  websocket: typeof overSocket;
  webtransport: (watch: Watch, signal: AbortSignal) => Promise<number>;
}

/** A connection that stood this long was a good one: the next pause is a short one again. */
const GOOD_MS = 10_000;
const FINAL: readonly number[] = [CLOSE.cameraRemoved, CLOSE.revoked, CLOSE.disconnected];

let ofPage: Ways | null = null;

/** One choice for the whole page: what one camera learns of the network, all know. */
function waysOfPage(): Ways {
  if (!ofPage) {
    const choice = new Choice({ secure: isSecureContext, supported: 'WebTransport' in globalThis });
    ofPage = { choice, websocket: overSocket, webtransport: overWebTransport };
  }
  return ofPage;
}

/** Follows a camera until aborted, by the best way there is, connecting again with back-off. */
export async function followLive(
  wanted: Wanted,
  events: LiveEvents,
  signal: AbortSignal,
  ways = waysOfPage(),
) {
  const follower = new Follower(wanted, events, signal, ways);
  const changed = () => follower.networkChanged();
  globalThis.addEventListener('online', changed);
  await follower.run();
  globalThis.removeEventListener('online', changed);
}

/** One connection. */
class Leg {
  readonly way: Way;
  readonly ended: Promise<number>;
  /** Resolves with whether a picture came before it ended. */
  readonly came: Promise<boolean>;
  #abort = new AbortController();
  #saw: (came: boolean) => void = () => {};

  constructor(way: Way, connect: (leg: Leg, signal: AbortSignal) => Promise<number>, signal: AbortSignal) {
    this.way = way;
    this.came = new Promise((resolve) => (this.#saw = resolve));
    const stop = () => this.stop();
    signal.addEventListener('abort', stop);
    this.ended = connect(this, this.#abort.signal).then((code) => {
      signal.removeEventListener('abort', stop);
      this.#saw(false);
      return code;
    });
  }

  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  saw() {
    this.#saw(true);
  }

  stop() {
    this.#abort.abort();
  }
}

class Follower {
  #wanted: Wanted;
  #events: LiveEvents;
  #signal: AbortSignal;
  #ways: Ways;
  #screen: Screen;
  #wake = new AbortController();

  constructor(wanted: Wanted, events: LiveEvents, signal: AbortSignal, ways: Ways) {
    this.#wanted = wanted;
    this.#events = events;
    this.#signal = signal;
    this.#ways = ways;
    this.#screen = new Screen(events, signal);
  }

  /** What failed may work now. */
  networkChanged() {
    this.#ways.choice.soon();
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  async run() {
    const { choice } = this.#ways;
    let leg: Leg | null = null;
    for (let attempt = 0; !this.#signal.aborted; attempt += 1) {
      const began = performance.now();
      leg ??= this.#begin(choice.way(began));
      const better: Leg | null = leg.way === 'websocket' ? await this.#switched(leg) : null;
      if (better) {
        // Its first picture is on the screen already: nothing is black in between.
        leg.stop();
        leg = better;
        continue;
      }
      const code = await leg.ended;
      if (this.#signal.aborted) return;
      if (FINAL.includes(code)) {
        this.#events.ended(code);
        return;
      }
      const wasWebTransport: boolean = leg.way === 'webtransport';
      leg = null;
      this.#screen.reset();
      if (wasWebTransport) {
        // At once by the other way; the last picture stays meanwhile.
        choice.failed(performance.now());
        continue;
      }
      this.#events.ended(code);
      if (performance.now() - began > GOOD_MS) attempt = 0;
      await wait(pauseBefore(attempt), this.#signal);
    }
  }

  #begin(way: Way): Leg {
    let first = true;
    const take = (leg: Leg) => (frame: LiveFrame) => {
      if (leg.stopped) return Promise.resolve(false);
      if (first) {
        first = false;
        if (way === 'webtransport') this.#ways.choice.worked();
        this.#events.way(way, this.#ways.choice.obstacle);
        leg.saw();
      }
      return this.#screen.take(frame);
    };
    const { camera, wish } = this.#wanted;
    const connect = (leg: Leg, signal: AbortSignal) =>
      way === 'websocket'
        ? this.#ways.websocket(camera, take(leg), signal)
        : this.#ways.webtransport(
            { camera, wish, take: take(leg), status: (status) => this.#events.status(status) },
            signal,
          );
    return new Leg(way, connect, this.#signal);
  }

  /** Tries WebTransport beside a WebSocket. Resolves with it when it shows pictures, or with null when `socket` ended. */
  async #switched(socket: Leg): Promise<Leg | null> {
    const { choice } = this.#ways;
    let over = false;
    const end = new AbortController();
    void socket.ended.then(() => {
      over = true;
      end.abort();
    });
    while (!over && !this.#signal.aborted) {
      const pause = choice.pause(performance.now());
      if (pause === null) {
        await socket.ended;
        return null;
      }
      if (pause > 0) {
        await wait(pause, AbortSignal.any([end.signal, this.#wake.signal, this.#signal]));
        continue;
      }
      const trial = this.#begin('webtransport');
      const came = await Promise.race([trial.came, socket.ended.then(() => null)]);
      if (came) return trial;
      if (came === null) {
        trial.stop();
        return null;
      }
      choice.failed(performance.now());
    }
    return null;
  }
}
