import { expect, test } from 'vitest';
import { figures, marks, momentWords } from './axis';

process.env['TZ'] = 'Europe/Berlin';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const texts = (from: number, to: number, most: number) => marks(from, to, most).map(({ text }) => text);

test('marks stand at round times of the clock on the wall', () => {
  const from = Date.UTC(2026, 6, 5, 9, 3);
  expect(texts(from, from + HOUR, 6)).toEqual(['11:10', '11:20', '11:30', '11:40', '11:50', '12:00']);
  expect(texts(from, from + DAY, 8)).toEqual([
    '12:00',
    '15:00',
    '18:00',
    '21:00',
    'Mon 6 Jul',
    '03:00',
    '06:00',
    '09:00',
  ]);
  expect(texts(from, from + 60_000, 6)).toContain('11:03:10');
});

test('when clocks go forward, the hour that is missing has no mark', () => {
  const midnight = Date.UTC(2026, 2, 28, 23);
  expect(texts(midnight, midnight + 5 * HOUR, 6)).toEqual([
    'Sun 29 Mar',
    '01:00',
    '03:00',
    '04:00',
    '05:00',
    '06:00',
  ]);
});

test('when clocks go back, the hour that comes twice has two marks, and their times differ', () => {
  const midnight = Date.UTC(2026, 9, 24, 22);
  const twice = marks(midnight, midnight + 5 * HOUR, 6);
  expect(twice.map(({ text }) => text)).toEqual(['Sun 25 Oct', '01:00', '02:00', '02:00', '03:00', '04:00']);
  expect((twice[3]?.at ?? 0) - (twice[2]?.at ?? 0)).toBe(HOUR);
  expect(momentWords(twice[2]?.at ?? 0)).not.toBe(momentWords(twice[3]?.at ?? 0));
  expect(momentWords(twice[2]?.at ?? 0)).toMatch(/^Sun 25 Oct 2026, 02:00:00 (CEST|GMT\+2)$/);
});

test('days are marked at midnight on both sides of the change', () => {
  const days = marks(Date.UTC(2026, 9, 22), Date.UTC(2026, 9, 28), 7);
  expect(days.map(({ at }) => new Date(at).getHours())).toEqual([0, 0, 0, 0, 0, 0]);
  expect(days[0]?.text).toBe('Fri 23 Oct');
});

test('weeks begin on a Monday wherever the range begins', () => {
  for (const shift of [0, 1, 2, 3]) {
    const from = Date.UTC(2026, 9, 3 + shift);
    for (const { at } of marks(from, from + 40 * DAY, 8)) expect(new Date(at).getDay()).toBe(1);
  }
});

test('long ranges have months and years', () => {
  expect(texts(Date.UTC(2025, 10, 22), Date.UTC(2026, 10, 22), 6)).toEqual(['2026', 'Apr', 'Jul', 'Oct']);
  expect(texts(Date.UTC(2016, 10, 22), Date.UTC(2026, 10, 22), 6)).toEqual([
    '2018',
    '2020',
    '2022',
    '2024',
    '2026',
  ]);
});

test('there are never more marks than asked for, give or take the one at the edge', () => {
  for (let length = 60_000; length < 20 * 366 * DAY; length *= 1.7) {
    expect(marks(1_700_000_000_000, 1_700_000_000_000 + length, 8).length).toBeLessThanOrEqual(9);
  }
});

test('figures are round', () => {
  expect(figures(-1.2, 9.1, 6)).toEqual([0, 2, 4, 6, 8]);
  expect(figures(3.9, 4.6, 8)).toEqual([3.9, 4, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6]);
  expect(figures(-30, 90, 5)).toEqual([0, 50]);
});
