import { GapReason } from '../gen/larder/v1/recordings_pb';

// Figures and times as people read them. Pure.

/** A size with a unit: `1.4 GB`. Powers of a thousand, as disks are sold. */
export function bytes(count: number | bigint): string {
  let value = Number(count);
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A length of time by its two greatest units: `2 h 5 min`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(minutes, 'min', minutes < 10 ? seconds % 60 : 0, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return joined(hours, 'h', minutes % 60, 'min');
  return joined(Math.floor(hours / 24), 'days', hours % 24, 'h');
}

/** How long ago: `4 min ago`, `just now`. */
export function ago(then: number, now: number): string {
  const ms = now - then;
  return ms < 5000 ? 'just now' : `${span(ms < 60_000 ? ms : Math.floor(ms / 60_000) * 60_000)} ago`;
}

/** The age of a picture: `84 ms`, `1.2 s`, `4 min`. */
export function age(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return span(ms);
}

/** Hours, minutes and seconds on the viewer's clock. */
export function clockTime(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Hours and minutes on the viewer's clock. */
export function clockMinute(ms: number): string {
  return clockTime(ms).slice(0, 5);
}

/** Date and time, whole, for labels: `Sunday 22 November 2026, 15:14:10`. */
export function fullTime(ms: number): string {
  const date = new Date(ms).toLocaleDateString('en-GB', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  });
  return `${date}, ${clockTime(ms)}`;
}

const REASONS: Record<GapReason, string> = {
  [GapReason.UNSPECIFIED]: 'not known',
  [GapReason.CAMERA_OFFLINE]: 'camera offline',
  [GapReason.STALLED]: 'no picture came',
  [GapReason.DISK_FULL]: 'disk full',
  [GapReason.DISK_FAILED]: 'disk failed',
  [GapReason.ENCODER_FAILED]: 'encoder failed',
  [GapReason.HUB_DOWN]: 'hub was off',
  [GapReason.NOT_SCHEDULED]: 'not switched on',
  [GapReason.DELETED]: 'deleted',
  [GapReason.CLOCK_STEPPED]: 'clock was set forward',
};

/** Why nothing was recorded, in words. A newer hub may have reasons that this page does not know. */
export function gapReason(reason: GapReason): string {
  return (REASONS as Record<number, string>)[reason] ?? REASONS[GapReason.UNSPECIFIED];
}

/** One, or many: `1 camera`, `2 cameras`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function joined(a: number, unitA: string, b: number, unitB: string): string {
  return b > 0 ? `${a} ${unitA} ${b} ${unitB}` : `${a} ${unitA}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
