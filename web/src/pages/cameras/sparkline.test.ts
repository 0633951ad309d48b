import { expect, test } from 'vitest';
import { sparkline } from './sparkline';

/** Sixty points: so many fill the width. */
function sixty(point: (index: number) => number | null): (number | null)[] {
  return Array.from({ length: 60 }, (_, index) => point(index));
}

test('the highest value is at the top and the newest at the right', () => {
  const path = sparkline(
    sixty((index) => index),
    118,
    20,
  );
  expect(path).toMatch(/^M0\.0 20\.0L2\.0 /);
  expect(path).toMatch(/L118\.0 0\.0$/);
});

test('a short past is a short line at the right', () => {
  expect(sparkline([0, 10, 5], 118, 20)).toBe('M114.0 20.0L116.0 0.0L118.0 10.0');
});

test('a missing value breaks the line', () => {
  expect(sparkline([0, null, 10], 118, 20)).toBe('M114.0 20.0M118.0 0.0');
});

test('a value that stays is a level line, on the floor when it is the floor', () => {
  expect(sparkline([3, 3], 118, 20)).toBe('M116.0 10.0L118.0 10.0');
  expect(sparkline([0, 0], 118, 20, 0)).toBe('M116.0 20.0L118.0 20.0');
});

test('one value is no line', () => {
  expect(sparkline([4, null], 100, 20)).toBe('');
});
