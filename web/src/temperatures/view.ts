// The stretch of time a graph shows: chosen, zoomed, moved, and written into the address. Pure.

import { dayDate, dayOf } from '../ui/days';
import { clockMinute, clockTime } from '../ui/words';

/** A stretch of time in milliseconds. */
export interface View {
  from: number;
  to: number;
}

/** A range that ends now and goes on with the clock. */
export type Recent = 'hour' | 'day' | 'week' | 'month' | 'year' | 'all';

export const RECENT: readonly { value: Recent; text: string }[] = [
  { value: 'hour', text: 'Hour' },
  { value: 'day', text: 'Day' },
  { value: 'week', text: 'Week' },
  { value: 'month', text: 'Month' },
  { value: 'year', text: 'Year' },
  { value: 'all', text: 'All' },
];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Nearer than this one sees single readings with nothing between them. */
const SHORTEST = 2 * MINUTE;
const LONGEST = 20 * 366 * DAY;

/** The range that ends now. A month and a year are those of the calendar. */
export function recent(range: Recent, now: number): View {
  const from = new Date(now);
  if (range === 'hour') from.setTime(now - HOUR);
  else if (range === 'day') from.setTime(now - DAY);
  else if (range === 'week') from.setTime(now - 7 * DAY);
  else if (range === 'month') from.setMonth(from.getMonth() - 1);
  else if (range === 'year') from.setFullYear(from.getFullYear() - 1);
  else from.setTime(now - LONGEST);
  return { from: from.getTime(), to: now };
}

/** Closer (below 1) or further (above 1), with one moment staying where it is. */
export function zoomed({ from, to }: View, factor: number, about: number, now: number): View {
  const length = Math.min(LONGEST, Math.max(SHORTEST, (to - from) * factor));
  const part = (about - from) / (to - from);
  return within({ from: about - part * length, to: about + (1 - part) * length }, now);
}

/** Moved by a part of its length. */
export function panned({ from, to }: View, part: number, now: number): View {
  const by = (to - from) * part;
  return within({ from: from + by, to: to + by }, now);
}

/** Between two moments, whichever is first, and not too near. */
export function between(one: number, other: number, now: number): View {
  const middle = (one + other) / 2;
  const half = Math.max(SHORTEST, Math.abs(one - other)) / 2;
  return within({ from: middle - half, to: middle + half }, now);
}

/** The same length, in whole milliseconds, ending now at the latest: there is nothing to see of tomorrow. */
export function within({ from, to }: View, now: number): View {
  const over = Math.max(0, to - now);
  return { from: Math.round(from - over), to: Math.round(to - over) };
}

/** What is asked of the hub for a view: half as much again on both sides, so that moving it shows no hole. */
export function asked({ from, to }: View, now: number): View {
  const more = Math.round((to - from) / 2);
  return { from: from - more, to: Math.max(to, Math.min(to + more, now)) };
}

/** A view in words: `Sun 22 November, 14:00 to 15:00`. */
export function viewWords({ from, to }: View): string {
  const clock = to - from < 10 * MINUTE ? clockTime : clockMinute;
  const year = (ms: number) => new Date(ms).getFullYear();
  if (dayOf(from) === dayOf(to))
    return `${dayDate(dayOf(from))} ${year(from)}, ${clock(from)} to ${clock(to)}`;
  const same = year(from) === year(to);
  const begin = `${dayDate(dayOf(from))}${same ? '' : ` ${year(from)}`}`;
  const end = `${dayDate(dayOf(to))} ${year(to)}`;
  if (to - from > 14 * DAY) return `${begin} to ${end}`;
  return `${begin}, ${clock(from)} to ${end}, ${clock(to)}`;
}

/** What the address says after `#`: `#week`, or two moments in UTC. */
export function hashOf(shown: Recent | View): string {
  if (typeof shown === 'string') return `#${shown}`;
  const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');
  return `#${text(Math.floor(shown.from / 1000) * 1000)}/${text(Math.ceil(shown.to / 1000) * 1000)}`;
}

/** What an address asks for; null when that is nothing. */
export function parseHash(hash: string, now: number): Recent | View | null {
  const text = hash.slice(1);
  const named = RECENT.find(({ value }) => value === text);
  if (named) return named.value;
  const [from = NaN, to = NaN] = text.split('/').map((part) => Date.parse(part));
  if (Number.isNaN(from) || Number.isNaN(to) || to <= from || to - from > LONGEST) return null;
  return between(from, to, Math.max(now, from + SHORTEST));
}
