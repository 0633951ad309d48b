import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { temperatures as service } from '../../api/client';
import { problem } from '../../api/problem';
import { lineOf, stops, type Line } from '../../temperatures/lines';
import {
  asked,
  between,
  hashOf,
  panned,
  parseHash,
  recent,
  within,
  zoomed,
  type Recent,
  type View,
} from '../../temperatures/view';

/** Points for each sensor: about one for each pixel of a wide screen, over twice the view. */
const POINTS = 1600;
/** The way back from zooms has this many steps. */
const STEPS_BACK = 50;
/** Zooms that follow each other faster are one. */
const PAUSE_MS = 600;

/** What the graph shows, and how that is changed. */
export class Graph {
  /** The range that ends now, or null when another stretch is looked at. */
  range = $state<Recent | null>('day');
  view = $state.raw<View>(recent('day', Date.now()));
  /** The moment pointed at. */
  cursor = $state<number | null>(null);
  lines = $state.raw<readonly Line[]>([]);
  /** Nothing was read yet for what is shown now. */
  loading = $state(true);
  error = $state('');

  #back: (Recent | View)[] = [];
  #turn = 0;
  #remembered = -Infinity;

  /** Begins with what the address asks for. */
  constructor(hash: string) {
    this.follow(hash);
  }

  /** Shows what an address asks for, if it asks for anything. */
  follow(hash: string) {
    const wanted = parseHash(hash, Date.now());
    if (wanted) this.#set(wanted);
  }

  /** What the address says of it. */
  get hash(): string {
    return hashOf(this.range ?? this.view);
  }

  choose(range: Recent) {
    this.#remember();
    this.loading = true;
    this.#set(range);
  }

  select(from: number, to: number) {
    this.#remember();
    this.#set(between(from, to, Date.now()));
  }

  zoom(factor: number, about = this.cursor ?? (this.view.from + this.view.to) / 2) {
    this.#remember();
    this.#set(zoomed(this.view, factor, about, Date.now()));
  }

  pan(part: number) {
    this.#set(panned(this.view, part, Date.now()));
  }

  /** To what was shown before the last zoom or choice. */
  back() {
    const before = this.#back.pop();
    if (before) this.#set(before);
  }

  /** To the present, as wide as now. */
  toNow() {
    const now = Date.now();
    const { from, to } = this.view;
    this.#set(within({ from: from + now - to, to: now }, now));
  }

  /** Moves the cursor by so many points; it begins at the end that it comes from. */
  step(points: number) {
    const all = stops(this.lines, this.view.from, this.view.to);
    if (all.length === 0) return;
    const at = this.cursor;
    const last = all.length - 1;
    let place = points > 0 ? 0 : last;
    if (at !== null) {
      const after = all.findIndex((stop) => stop >= at);
      const here = after === -1 ? last : after;
      place = Math.min(last, Math.max(0, here + (all[here] === at || points < 0 ? points : points - 1)));
    }
    this.cursor = all[place] ?? null;
  }

  /** Moves on with the clock, when the range ends now. */
  tick() {
    const now = Date.now();
    if (this.range === 'all') this.view = { from: this.view.from, to: now };
    else if (this.range) this.view = recent(this.range, now);
  }

  /** Reads the lines of what is shown. */
  async read(sensors: string[], signal: AbortSignal) {
    const turn = ++this.#turn;
    if (sensors.length === 0) {
      this.lines = [];
      this.loading = false;
      return;
    }
    const { from, to } = asked(this.view, Date.now());
    try {
      const range = { from: timestampFromMs(from), to: timestampFromMs(Math.max(to, from + 1000)) };
      const answer = await service.getReadings({ sensors, range, points: POINTS }, { signal });
      if (turn !== this.#turn) return;
      this.lines = answer.series.map(lineOf);
      this.error = '';
      this.loading = false;
      if (this.range === 'all') this.#fitAll();
    } catch (error) {
      if (signal.aborted || turn !== this.#turn) return;
      this.error = problem(error);
      this.loading = false;
    }
  }

  /** All there is begins with the first reading. */
  #fitAll() {
    const first = Math.min(...this.lines.map(({ at }) => at[0] ?? Infinity));
    const { from, to } = this.view;
    // Once it fits, it stays: each view is read anew, and finer points begin a little later.
    if (Number.isFinite(first) && first - from > (to - from) / 50) this.view = between(first, to, to);
  }

  #remember() {
    const now = performance.now();
    // One turn of a wheel is many events, and one step back.
    if (now - this.#remembered > PAUSE_MS) {
      this.#back = [...this.#back.slice(1 - STEPS_BACK), this.range ?? this.view];
    }
    this.#remembered = now;
  }

  #set(wanted: Recent | View) {
    this.range = typeof wanted === 'string' ? wanted : null;
    this.view = typeof wanted === 'string' ? recent(wanted, Date.now()) : wanted;
  }
}
