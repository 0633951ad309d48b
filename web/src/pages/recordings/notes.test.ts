import { expect, test } from 'vitest';
import { notesAt, notesOf } from './notes';

const range = (second: number, sensor: unknown, celsius: unknown) => ({
  attr: { 'X-TEMP-C': celsius, 'X-SENSOR': sensor },
  startDate: new Date(second * 1000),
});

test('a playlist tells temperatures among other things, in any order', () => {
  const notes = notesOf([
    range(60, 'top', '-17.250'),
    range(0, 'top', '-18.000'),
    range(30, undefined, '4.000'),
    range(30, 'top', 'warm'),
    range(30, 'top', ''),
    { attr: {}, startDate: new Date(NaN) },
  ]);
  expect(notes).toEqual([
    { sensor: 'top', at: 0, celsius: -18 },
    { sensor: 'top', at: 60_000, celsius: -17.25 },
  ]);
});

test('the value at a moment is the newest that was read by then, of each sensor', () => {
  const notes = notesOf([range(0, 'top', '4'), range(60, 'top', '5'), range(30, 'door', '8')]);
  expect(notesAt(notes, 59_000).map(({ sensor, celsius }) => [sensor, celsius])).toEqual([
    ['door', 8],
    ['top', 4],
  ]);
  expect(notesAt(notes, -1)).toEqual([]);
  expect(notesAt(notes, 60_000 + 6 * 60_000)).toEqual([]);
});
