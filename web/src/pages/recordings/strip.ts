// A stretch of time as a ruled strip: what is recorded, what is not, and the marks of its ruler. Pure.

import type { GapReason } from '../../gen/larder/v1/recordings_pb';

/** A half-open stretch of time in milliseconds. */
export interface Stretch {
  from: number;
  to: number;
}

/** A stretch in which nothing was recorded, and why. */
export interface GapStretch extends Stretch {
  reason: GapReason;
}

/** A stretch that retention leaves alone. */
export interface PinStretch extends Stretch {
  id: string;
  note: string;
}

/** What is known of a stretch of time, each list in the order of time. */
export interface Day {
  spans: Stretch[];
  gaps: GapStretch[];
  pins: PinStretch[];
  sizeBytes: number;
}

/** A recording of a clock that was not set: nobody knows when exactly it was made. */
export interface Undated {
  id: string;
  lengthMs: number;
  sizeBytes: number;
}

/** A mark of the ruler. */
export interface Tick {
  at: number;
  /** 3 is the longest mark, and has a label. */
  rank: 1 | 2 | 3;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Spans that touch, or nearly do, drawn as one. */
export function merged(spans: readonly Stretch[], slackMs = 0): Stretch[] {
  const out: Stretch[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last && span.from <= last.to + slackMs) last.to = Math.max(last.to, span.to);
    else out.push({ from: span.from, to: span.to });
  }
  return out;
}

/** What lies within a range, cut to it. */
export function within<T extends Stretch>(stretches: readonly T[], from: number, to: number): T[] {
  return stretches
    .filter((stretch) => stretch.to > from && stretch.from < to)
    .map((stretch) => ({ ...stretch, from: Math.max(from, stretch.from), to: Math.min(to, stretch.to) }));
}

/** How much is recorded. */
export function recordedMs(day: Pick<Day, 'spans'>): number {
  return merged(day.spans).reduce((sum, span) => sum + span.to - span.from, 0);
}

/** The first recorded moment at or after a time; null when there is none. */
export function nextRecorded(spans: readonly Stretch[], at: number): number | null {
  for (const span of spans) {
    if (at < span.to) return Math.max(at, span.from);
  }
  return null;
}

/** The recorded moment nearest to a time, if it is as near as that. */
export function nearestRecorded(spans: readonly Stretch[], at: number, withinMs: number): number | null {
  let nearest: number | null = null;
  for (const { from, to } of spans) {
    // A span's end is the first moment that is not in it.
    const there = Math.min(Math.max(at, from), Math.max(from, to - 1));
    if (
      Math.abs(there - at) <= withinMs &&
      (nearest === null || Math.abs(there - at) < Math.abs(nearest - at))
    )
      nearest = there;
  }
  return nearest;
}

/** Where the gap lies that a time falls in; null when it falls in none. */
export function gapAt(gaps: readonly GapStretch[], at: number): GapStretch | null {
  return gaps.find((gap) => at >= gap.from && at < gap.to) ?? null;
}

/** Whether a time is recorded. */
export function isRecorded(spans: readonly Stretch[], at: number): boolean {
  return spans.some((span) => at >= span.from && at < span.to);
}

/** The edges of what is recorded: where `[` and `]` go. */
export function edgeBefore(spans: readonly Stretch[], at: number): number | null {
  return spans.findLast((span) => span.from < at - 1500)?.from ?? null;
}

/** The next start of something recorded. */
export function edgeAfter(spans: readonly Stretch[], at: number): number | null {
  return spans.find((span) => span.from > at)?.from ?? null;
}

/** Marks on the viewer's clock: by the half hour on a day, by the minute on an hour. */
export function ticks(from: number, to: number): Tick[] {
  const long = to - from > 3 * HOUR;
  const step = long ? 30 * MINUTE : MINUTE;
  const out: Tick[] = [];
  // Every zone's offset is a multiple of 15 minutes, so whole steps of UTC are whole steps of its clock or its half.
  for (let at = Math.ceil(from / (15 * MINUTE)) * 15 * MINUTE - 15 * MINUTE; at <= to; at += MINUTE) {
    if (at < from) continue;
    const date = new Date(at);
    const minute = date.getMinutes() + (long ? date.getHours() * 60 : 0);
    if (minute % (step / MINUTE) !== 0) continue;
    out.push({ at, rank: rankOf(minute, long) });
  }
  return out;
}

function rankOf(minute: number, long: boolean): Tick['rank'] {
  const [labelled, middle] = long ? [180, 60] : [10, 5];
  if (minute % labelled === 0) return 3;
  return minute % middle === 0 ? 2 : 1;
}
