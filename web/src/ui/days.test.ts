import { beforeAll, expect, test } from 'vitest';
import { dayName, dayOf, dayPlus, dayRange } from './days';

const HOUR = 3_600_000;

beforeAll(() => {
  process.env['TZ'] = 'Europe/Berlin';
});

test('the day the clocks go back has 25 hours, and the one they go forward 23', () => {
  const autumn = dayRange('2026-10-25');
  const spring = dayRange('2026-03-29');
  expect((autumn.to - autumn.from) / HOUR).toBe(25);
  expect((spring.to - spring.from) / HOUR).toBe(23);
});

test('steps by days cross months and clock changes', () => {
  expect(dayPlus('2026-03-01', -1)).toBe('2026-02-28');
  expect(dayPlus('2026-10-25', 1)).toBe('2026-10-26');
  expect(dayOf(dayRange('2026-10-25').to - 1)).toBe('2026-10-25');
});

test('the last two days have names', () => {
  const now = dayRange('2026-11-22').from + 15 * HOUR;
  expect(dayName('2026-11-22', now)).toBe('Today');
  expect(dayName('2026-11-21', now)).toBe('Yesterday');
  expect(dayName('2026-11-20', now)).toBe('Fri 20 November');
});
