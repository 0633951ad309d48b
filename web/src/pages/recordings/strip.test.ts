import { beforeAll, expect, test } from 'vitest';
import { GapReason } from '../../gen/larder/v1/recordings_pb';
import { dayRange } from '../../ui/days';
import {
  edgeAfter,
  edgeBefore,
  gapAt,
  merged,
  nearestRecorded,
  nextRecorded,
  recordedMs,
  ticks,
  within,
} from './strip';

const HOUR = 3_600_000;

beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin';
});

test('spans that touch are one', () => {
  const spans = [
    { from: 0, to: 10 },
    { from: 10, to: 20 },
    { from: 25, to: 30 },
  ];
  expect(merged(spans)).toEqual([
    { from: 0, to: 20 },
    { from: 25, to: 30 },
  ]);
  expect(merged(spans, 5)).toEqual([{ from: 0, to: 30 }]);
  expect(recordedMs({ spans })).toBe(25);
});

test('stretches are cut to the range', () => {
  expect(within([{ from: 0, to: 10, reason: GapReason.STALLED }], 5, 20)).toEqual([
    { from: 5, to: 10, reason: GapReason.STALLED },
  ]);
  expect(within([{ from: 0, to: 5 }], 5, 20)).toEqual([]);
});

test('a time in a gap leads to the next recorded moment', () => {
  const spans = [
    { from: 0, to: 10 },
    { from: 20, to: 30 },
  ];
  expect(nextRecorded(spans, 5)).toBe(5);
  expect(nextRecorded(spans, 10)).toBe(20);
  expect(nextRecorded(spans, 30)).toBeNull();
  expect(gapAt([{ from: 10, to: 20, reason: GapReason.STALLED }], 20)).toBeNull();
});

test('steps between recordings pass over the one just begun', () => {
  const spans = [
    { from: 0, to: 10_000 },
    { from: 20_000, to: 30_000 },
  ];
  expect(edgeBefore(spans, 21_000)).toBe(0);
  expect(edgeBefore(spans, 25_000)).toBe(20_000);
  expect(edgeAfter(spans, 5000)).toBe(20_000);
  expect(edgeAfter(spans, 20_000)).toBeNull();
});

test('a day is ruled by the half hour and labelled every three hours, also when the clocks change', () => {
  const plain = dayRange('2026-11-22');
  const autumn = dayRange('2026-10-25');
  expect(ticks(plain.from, plain.to)).toHaveLength(49);
  expect(ticks(autumn.from, autumn.to)).toHaveLength(51);
  const labels = ticks(autumn.from, autumn.to).filter((tick) => tick.rank === 3);
  expect(labels.map((tick) => new Date(tick.at).getHours())).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 0]);
});

test('an hour is ruled by the minute', () => {
  const from = dayRange('2026-11-22').from + 10 * HOUR + 123_456;
  const marks = ticks(from, from + HOUR);
  expect(marks).toHaveLength(60);
  expect(marks.filter((tick) => tick.rank === 3)).toHaveLength(6);
});

test('the nearest recorded moment lies before or after, or nowhere near', () => {
  const spans = [
    { from: 0, to: 100 },
    { from: 200, to: 300 },
  ];
  expect(nearestRecorded(spans, 50, 10)).toBe(50);
  expect(nearestRecorded(spans, 120, 30)).toBe(99);
  expect(nearestRecorded(spans, 180, 30)).toBe(200);
  expect(nearestRecorded(spans, 150, 30)).toBeNull();
  expect(nearestRecorded(spans, 320, 30)).toBe(299);
  expect(nearestRecorded([], 0, 30)).toBeNull();
});
