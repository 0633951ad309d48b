import { expect, test } from 'vitest';
import { GapReason } from '../gen/larder/v1/recordings_pb';
import { age, ago, bytes, count, gapReason, span } from './words';

test('sizes keep two or three digits and a unit', () => {
  expect(bytes(0)).toBe('0 B');
  expect(bytes(999)).toBe('999 B');
  expect(bytes(999_600)).toBe('1.0 MB');
  expect(bytes(1_440_000_000n)).toBe('1.4 GB');
  expect(bytes(250_000_000_000)).toBe('250 GB');
});

test('lengths of time name their two greatest units', () => {
  expect(span(4400)).toBe('4 s');
  expect(span(65_000)).toBe('1 min 5 s');
  expect(span(59.99 * 60_000)).toBe('59 min');
  expect(span(125 * 60_000)).toBe('2 h 5 min');
  expect(span(72 * 3_600_000)).toBe('3 days');
});

test('the age of a picture gets coarser as it grows', () => {
  expect(age(-3)).toBe('0 ms');
  expect(age(84.4)).toBe('84 ms');
  expect(age(1234)).toBe('1.2 s');
  expect(age(240_000)).toBe('4 min');
});

test('what is under a minute old counts in seconds', () => {
  expect(ago(1000, 2000)).toBe('just now');
  expect(ago(0, 30_000)).toBe('30 s ago');
  expect(ago(0, 95_000)).toBe('1 min ago');
});

test('a reason that this page does not know is said to be unknown', () => {
  expect(gapReason(GapReason.CAMERA_OFFLINE)).toBe('camera offline');
  expect(gapReason(99 as GapReason)).toBe('not known');
});

test('one is singular', () => {
  expect(count(1, 'camera')).toBe('1 camera');
  expect(count(0, 'camera')).toBe('0 cameras');
});
