import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { SeriesSchema } from '../gen/larder/v1/temperatures_pb';
import { aligned, lineOf, lonely, path, pieces, pointAt, reach, stops, table, type Line } from './lines';

function line(at: number[], mean: number[], more: Partial<Line> = {}): Line {
  return {
    sensor: 's',
    at,
    mean,
    min: mean.map((v) => v - 1),
    max: mean.map((v) => v + 1),
    stepMs: 0,
    gapMs: 90,
    ...more,
  };
}

const same = (celsius: number) => celsius;

test('what the hub says is a line in milliseconds and Celsius', () => {
  const series = create(SeriesSchema, {
    sensorId: 'a',
    atUs: [1_000_500n, 31_000_500n],
    minMilliCelsius: [-18_000, 4000],
    maxMilliCelsius: [-17_500, 4500],
    meanMilliCelsius: [-17_750, 4250],
    count: [1, 2],
    step: { seconds: 30n },
    gapAfter: { seconds: 90n },
  });
  expect(lineOf(series)).toEqual({
    sensor: 'a',
    at: [1000.5, 31_000.5],
    min: [-18, 4],
    max: [-17.5, 4.5],
    mean: [-17.75, 4.25],
    stepMs: 30_000,
    gapMs: 90_000,
  });
});

test('a line breaks where readings are missing, and nowhere else', () => {
  expect(pieces(line([0, 30, 60, 200, 230], [1, 2, 3, 4, 5]))).toEqual([
    [0, 3],
    [3, 5],
  ]);
  expect(pieces(line([0, 90], [1, 2]))).toEqual([[0, 2]]);
  expect(pieces(line([0, 91], [1, 2]))).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect(pieces(line([], []))).toEqual([]);
});

test('a gap is null in its middle, and the times of other lines are no gap', () => {
  const [times, mean, min, max, other] = aligned(
    [line([0, 30, 200], [1, 2, 3]), line([10, 40], [7, 8])],
    same,
  );
  expect(times).toEqual([0, 10, 30, 40, 115, 200]);
  expect(mean).toEqual([1, undefined, 2, undefined, null, 3]);
  expect(min).toEqual([0, undefined, 1, undefined, null, 2]);
  expect(max).toEqual([2, undefined, 3, undefined, null, 4]);
  expect(other).toEqual([undefined, 7, undefined, 8, undefined, undefined]);
});

test('values are converted, times are not', () => {
  const [times, mean] = aligned([line([5], [10])], (celsius) => celsius * 1.8 + 32);
  expect([times, mean]).toEqual([[5], [50]]);
});

test('a reading between two gaps is a dot', () => {
  expect(lonely([1, 2, null, 3, null, 4, 5])).toEqual([3]);
  expect(lonely([undefined, 1, undefined])).toEqual([1]);
  expect(lonely([1, undefined, 2])).toEqual([]);
  expect(lonely([])).toEqual([]);
});

test('the value at a moment is the nearest one, and in a gap there is none', () => {
  const one = line([0, 30, 60, 300], [1, 2, 3, 4]);
  expect(pointAt(one, 31)).toEqual({ at: 30, mean: 2, min: 1, max: 3 });
  expect(pointAt(one, 46)?.mean).toBe(3);
  expect(pointAt(one, -20)?.mean).toBe(1);
  expect(pointAt(one, -200)).toBeNull();
  expect(pointAt(one, 180)).toBeNull();
  expect(pointAt(one, 295)?.mean).toBe(4);
  expect(pointAt(one, 1000)).toBeNull();
  expect(pointAt(line([], []), 5)).toBeNull();
});

test('the cursor stops at each whole millisecond once, within what is seen', () => {
  expect(stops([line([20.4, 30.2], [1, 1]), line([30.1], [1])], 0, 50)).toEqual([20, 30]);
  expect(stops([line([0, 30, 60], [1, 1, 1]), line([30, 45], [1, 1])], 10, 50)).toEqual([30, 45]);
});

test('the axis holds what is seen and the limits, and a steady line stays calm', () => {
  const wide = line([0, 50, 100], [-20, 4, 5]);
  expect(reach([wide], [40, 110], [])[0]).toBeGreaterThan(2);
  expect(reach([wide], [40, 110], [8])[1]).toBeGreaterThan(8);
  expect(reach([wide], [0, 110], [])[0]).toBeLessThan(-21);
  const [low, high] = reach([line([0], [4], { min: [4], max: [4] })], [0, 1], []);
  expect(high - low).toBeGreaterThanOrEqual(2);
  expect(reach([], [0, 1], [])).toEqual([0, 10]);
});

test('the table has the least, the largest and the mean of each stretch that has any', () => {
  const rows = table([line([0, 10, 60], [1, 3, 5]), line([65], [9])], 0, 100, 5);
  expect(rows).toEqual([
    { from: 0, to: 20, cells: [{ min: 0, max: 4, mean: 2 }, null] },
    {
      from: 60,
      to: 80,
      cells: [
        { min: 4, max: 6, mean: 5 },
        { min: 8, max: 10, mean: 9 },
      ],
    },
  ]);
});

test('a small line lies where its times and values are, broken at gaps', () => {
  const small = line([0, 50, 300], [0, 10, 5]);
  expect(path(small, [0, 400], 100, 20, [0, 10])).toBe('M0.0 20.0L12.5 0.0M75.0 10.0h0.1');
  expect(path(line([], []), [0, 1], 1, 1, [0, 1])).toBe('');
});
