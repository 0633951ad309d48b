import { expect, test } from 'vitest';
import { mediaAt, wallAt } from './mapping';

// Two pieces on end, then a gap of an hour.
const pieces = [
  { start: 0, duration: 4, wall: 1_000_000 },
  { start: 4, duration: 4, wall: 1_004_000 },
  { start: 8, duration: 2, wall: 4_608_000 },
];

test('a moment and its place in the media lead to each other', () => {
  for (const wall of [1_000_000, 1_003_999, 1_004_000, 1_006_500, 4_609_250]) {
    const media = mediaAt(pieces, wall);
    expect(media).not.toBeNull();
    expect(wallAt(pieces, media ?? 0)).toBeCloseTo(wall, 0);
  }
});

test('a moment in a gap is the beginning of what follows', () => {
  expect(mediaAt(pieces, 2_000_000)).toBe(8);
  expect(mediaAt(pieces, 0)).toBe(0);
});

test('behind the last piece there is nothing', () => {
  expect(mediaAt(pieces, 4_610_000)).toBeNull();
  expect(wallAt([], 3)).toBeNull();
});
