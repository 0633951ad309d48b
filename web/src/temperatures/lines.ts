// What the hub answers as lines to draw: where they break, what lies at a moment, and how far they reach. Pure.

import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Series } from '../gen/larder/v1/temperatures_pb';

/** One sensor's readings in a range. The lists are equally long; times rise, in milliseconds. */
export interface Line {
  sensor: string;
  at: number[];
  min: number[];
  max: number[];
  mean: number[];
  /** The time a point stands for; 0 when points are single readings. */
  stepMs: number;
  /** Points further apart than this have a gap between them. */
  gapMs: number;
}

/** A point of a line, in Celsius. */
export interface Point {
  at: number;
  min: number;
  max: number;
  mean: number;
}

/** Values at shared times: a number, null in a gap, undefined where only other lines have a point. */
export type Column = (number | null | undefined)[];

/** What the hub said of one sensor. */
export function lineOf(series: Series): Line {
  const celsius = (milli: number) => milli / 1000;
  return {
    sensor: series.sensorId,
    at: series.atUs.map((us) => Number(us) / 1000),
    min: series.minMilliCelsius.map(celsius),
    max: series.maxMilliCelsius.map(celsius),
    mean: series.meanMilliCelsius.map(celsius),
    stepMs: series.step ? durationMs(series.step) : 0,
    gapMs: series.gapAfter ? durationMs(series.gapAfter) : Infinity,
  };
}

/** The pieces of a line between its gaps, as indices: from the first to before the second. */
export function pieces(line: Line): [number, number][] {
  const out: [number, number][] = [];
  let first = 0;
  for (let i = 1; i <= line.at.length; i += 1) {
    if (i < line.at.length && at(line, i) - at(line, i - 1) <= line.gapMs) continue;
    out.push([first, i]);
    first = i;
  }
  return line.at.length > 0 ? out : [];
}

/**
 * Lines as columns over shared times: the times, then mean, min and max of each. A gap gets a time of its own in its
 * middle, at which its line has null.
 */
export function aligned(
  lines: readonly Line[],
  convert: (celsius: number) => number,
): [number[], ...Column[]] {
  const breaks = lines.map((line) =>
    pieces(line)
      .slice(1)
      .map(([first]) => (at(line, first - 1) + at(line, first)) / 2),
  );
  const times = [...new Set(lines.flatMap((line, i) => [...line.at, ...(breaks[i] ?? [])]))].sort(
    (one, other) => one - other,
  );
  const places = new Map(times.map((time, place) => [time, place]));
  const columns = lines.flatMap((line, i) =>
    [line.mean, line.min, line.max].map((values) => {
      const column: Column = new Array<number | null | undefined>(times.length).fill(undefined);
      for (const time of breaks[i] ?? []) column[places.get(time) ?? 0] = null;
      line.at.forEach((time, j) => (column[places.get(time) ?? 0] = convert(values[j] ?? 0)));
      return column;
    }),
  );
  return [times, ...columns];
}

/** Points that stand alone between gaps: no line goes through them, so they need a dot. */
export function lonely(column: Column): number[] {
  const known = column.flatMap((value, place) => (value === undefined ? [] : [place]));
  return known.filter((place, i) => {
    const beside = (other: number | undefined) => (other === undefined ? null : (column[other] ?? null));
    return column[place] !== null && beside(known[i - 1]) === null && beside(known[i + 1]) === null;
  });
}

/** The point of a line at a moment: the nearest, unless the moment lies in a gap or beyond the line. */
export function pointAt(line: Line, moment: number): Point | null {
  let [low, high] = [0, line.at.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(line, middle) < moment) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [at(line, low - 1), at(line, low)];
  const i = moment - before <= after - moment ? low - 1 : low;
  const away = Math.abs(at(line, i) - moment);
  const inGap = Number.isFinite(after - before) && after - before > line.gapMs;
  if (!Number.isFinite(away) || away > (inGap ? Math.max(line.stepMs / 2, line.gapMs / 6) : line.gapMs))
    return null;
  return point(line, i);
}

/** The times of all points in a range, in whole milliseconds, each once: where a cursor can stop. */
export function stops(lines: readonly Line[], from: number, to: number): number[] {
  const all = lines.flatMap((line) =>
    line.at.filter((time) => time >= from && time <= to).map((time) => Math.round(time)),
  );
  return [...new Set(all)].sort((one, other) => one - other);
}

/**
 * How far the vertical axis reaches: all that is seen, and the limits that are drawn, with a little air. Two degrees
 * at least, so that a steady fridge does not look like a storm.
 */
export function reach(
  lines: readonly Line[],
  [from, to]: readonly [number, number],
  limits: readonly number[],
): [number, number] {
  let [low, high] = [Math.min(...limits), Math.max(...limits)];
  for (const line of lines) {
    line.at.forEach((time, i) => {
      if (time < from || time > to) return;
      low = Math.min(low, line.min[i] ?? low);
      high = Math.max(high, line.max[i] ?? high);
    });
  }
  if (low > high) return [0, 10];
  const air = Math.max((high - low) * 0.08, (2 - (high - low)) / 2, 0.25);
  return [low - air, high + air];
}

/** A stretch of time as a row of a table. */
export interface Row {
  from: number;
  to: number;
  /** One a line, in their order; null where nothing was read. */
  cells: ({ min: number; max: number; mean: number } | null)[];
}

/** The lines as a table of equal stretches, for those who read rather than see; stretches with nothing are left out. */
export function table(lines: readonly Line[], from: number, to: number, rows: number): Row[] {
  const width = (to - from) / rows;
  const out: Row[] = Array.from({ length: rows }, (_, i) => ({
    from: from + i * width,
    to: from + (i + 1) * width,
    cells: lines.map(() => null),
  }));
  lines.forEach((line, column) => {
    const sums = new Map<number, number>();
    line.at.forEach((time, i) => {
      const place = Math.floor((time - from) / width);
      const row = out[place];
      if (!row) return;
      const { min, max, mean } = point(line, i);
      const cell = row.cells[column];
      const n = (sums.get(place) ?? 0) + 1;
      sums.set(place, n);
      row.cells[column] = cell
        ? {
            min: Math.min(cell.min, min),
            max: Math.max(cell.max, max),
            mean: cell.mean + (mean - cell.mean) / n,
          }
        : { min, max, mean };
    });
  });
  return out.filter((row) => row.cells.some((cell) => cell !== null));
}

/** The path of a small line over a range of time, broken at gaps; empty when there is nothing. */
export function path(
  line: Line,
  [from, to]: readonly [number, number],
  width: number,
  height: number,
  [low, high]: readonly [number, number],
): string {
  const x = (time: number) => (((time - from) / (to - from)) * width).toFixed(1);
  const y = (value: number) => (height - ((value - low) / (high - low)) * height).toFixed(1);
  return pieces(line)
    .map(([first, end]) => {
      const corners = [];
      for (let i = first; i < end; i += 1) corners.push(`${x(at(line, i))} ${y(line.mean[i] ?? 0)}`);
      // A dot, where a reading stands alone.
      return corners.length === 1 ? `M${corners[0]}h0.1` : `M${corners.join('L')}`;
    })
    .join('');
}

function at(line: Line, i: number): number {
  return line.at[i] ?? (i < 0 ? -Infinity : Infinity);
}

function point(line: Line, i: number): Point {
  return { at: at(line, i), min: line.min[i] ?? 0, max: line.max[i] ?? 0, mean: line.mean[i] ?? 0 };
}
