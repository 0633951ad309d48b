import { expect, test } from 'vitest';
import { sparkline } from './sparkline';

test('the highest value is at the top and the newest at the right', () => {
  expect(sparkline([0, 10, 5], 100, 20)).toBe('M0.0 20.0L50.0 0.0L100.0 10.0');
});

test('a missing value breaks the line', () => {
  expect(sparkline([0, null, 10], 100, 20)).toBe('M0.0 20.0M100.0 0.0');
});

test('a value that stays is a level line, on the floor when it is the floor', () => {
  expect(sparkline([3, 3], 100, 20)).toBe('M0.0 10.0L100.0 10.0');
  expect(sparkline([0, 0], 100, 20, 0)).toBe('M0.0 20.0L100.0 20.0');
});

test('one value is no line', () => {
  expect(sparkline([4, null], 100, 20)).toBe('');
});
