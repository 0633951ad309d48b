// Where the time axis has its marks, on the viewer's clock. On a day of 23 or 25 hours the marks stand at the hours
// that the clock shows, and an hour that comes twice has both its marks. Pure.

import { clockMinute, clockTime } from '../ui/words';

/** A mark and what is written at it. */
export interface Mark {
  at: number;
  text: string;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Steps within a day divide it; every zone's offset is a multiple of a quarter of an hour. */
const CLOCK_STEPS = [
  ...[1000, 2000, 5000, 10_000, 15_000, 30_000],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
];
const DAY_STEPS = [1, 2, 7, 14];
const MONTH_STEPS = [1, 2, 3, 6];
const YEAR_STEPS = [1, 2, 5, 10];

/** Marks of a range: as many as fit, `most` at most. */
export function marks(from: number, to: number, most: number): Mark[] {
  const length = to - from;
  const fits = (step: number) => length / step <= most;
  const clock = CLOCK_STEPS.find(fits);
  if (clock) return clockMarks(from, to, clock);
  const days = DAY_STEPS.find((n) => fits(n * DAY));
  if (days) return dayMarks(from, to, days);
  const months = MONTH_STEPS.find((n) => fits(n * 30.4 * DAY));
  if (months) return monthMarks(from, to, months);
  return monthMarks(from, to, 12 * (YEAR_STEPS.find((n) => fits(n * 365 * DAY)) ?? 20));
}

function clockMarks(from: number, to: number, step: number): Mark[] {
  const out: Mark[] = [];
  const stride = Math.min(step, 15 * MINUTE);
  for (let at = Math.ceil(from / stride) * stride; at <= to; at += stride) {
    const date = new Date(at);
    const ofDay = date.getHours() * HOUR + date.getMinutes() * MINUTE + date.getSeconds() * 1000;
    if (ofDay % step !== 0) continue;
    const text = ofDay === 0 ? dayText(date) : step < MINUTE ? clockTime(at) : clockMinute(at);
    out.push({ at, text });
  }
  return out;
}

function dayMarks(from: number, to: number, days: number): Mark[] {
  const out: Mark[] = [];
  const first = new Date(from);
  for (let n = 0; ; n += 1) {
    const date = new Date(first.getFullYear(), first.getMonth(), first.getDate() + n);
    if (date.getTime() > to) return out;
    // Counted from a Monday, so that weeks begin on one wherever the range begins.
    const number = Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY) - 4;
    if (number % days === 0 && date.getTime() >= from) out.push({ at: date.getTime(), text: dayText(date) });
  }
}

function monthMarks(from: number, to: number, months: number): Mark[] {
  const out: Mark[] = [];
  const first = new Date(from);
  for (let n = 0; ; n += 1) {
    const date = new Date(first.getFullYear(), first.getMonth() + n, 1);
    if (date.getTime() > to) return out;
    const number = date.getFullYear() * 12 + date.getMonth();
    if (number % months !== 0 || date.getTime() < from) continue;
    const text =
      date.getMonth() === 0
        ? String(date.getFullYear())
        : date.toLocaleDateString('en-GB', { month: 'short' });
    out.push({ at: date.getTime(), text });
  }
}

function dayText(date: Date): string {
  return date
    .toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })
    .replace(',', '');
}

/** A moment in full, with its zone: the same hour may come twice. `Sun 25 Oct 2026, 02:30:00 CEST`. */
export function momentWords(ms: number): string {
  const date = new Date(ms);
  const zone = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName');
  return `${dayText(date)} ${date.getFullYear()}, ${clockTime(ms)} ${zone?.value ?? ''}`.trim();
}

/** Round figures between two, `most` at most: where the other axis has its marks. */
export function figures(low: number, high: number, most: number): number[] {
  const least = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5, 10].find((n) => n * power >= least * 0.999_999) ?? 10);
  const out: number[] = [];
  // A hair beyond each end, so that no rounding takes the mark at the edge.
  for (let n = Math.ceil(low / step - 1e-9); n <= high / step + 1e-9; n += 1) {
    out.push(Math.round(n * step * 1e6) / 1e6 + 0);
  }
  return out;
}
