import { expect, test } from 'vitest';
import { asked, between, hashOf, panned, parseHash, recent, viewWords, zoomed } from './view';

process.env['TZ'] = 'Europe/Berlin';

const HOUR = 3_600_000;
const now = Date.UTC(2026, 10, 22, 14);

test('recent ranges end now, and a month is that of the calendar', () => {
  expect(recent('hour', now)).toEqual({ from: now - HOUR, to: now });
  expect(new Date(recent('month', now).from).toString()).toContain('Oct 22 2026 15:00');
  expect(new Date(recent('year', now).from).toString()).toContain('Nov 22 2025 15:00');
});

test('what lies under the pointer stays there while zooming', () => {
  const view = zoomed({ from: 0, to: 100 * HOUR }, 0.5, 25 * HOUR, now);
  expect(view).toEqual({ from: 12.5 * HOUR, to: 62.5 * HOUR });
  expect((25 * HOUR - view.from) / (view.to - view.from)).toBe(0.25);
});

test('nobody gets nearer than two minutes or sees tomorrow', () => {
  const near = zoomed({ from: 0, to: HOUR }, 0.000_01, 0, now);
  expect(near.to - near.from).toBe(120_000);
  expect(panned({ from: now - HOUR, to: now }, 3, now)).toEqual({ from: now - HOUR, to: now });
  expect(panned({ from: now - 4 * HOUR, to: now - 2 * HOUR }, -0.5, now).to).toBe(now - 3 * HOUR);
  expect(zoomed({ from: now - HOUR, to: now }, 2, now - HOUR, now)).toEqual({
    from: now - 2 * HOUR,
    to: now,
  });
});

test('a stretch drawn from right to left is the same', () => {
  expect(between(5 * HOUR, 2 * HOUR, now)).toEqual(between(2 * HOUR, 5 * HOUR, now));
});

test('more is asked for than is seen, but nothing of tomorrow', () => {
  expect(asked({ from: 10 * HOUR, to: 12 * HOUR }, now)).toEqual({ from: 9 * HOUR, to: 13 * HOUR });
  expect(asked({ from: now - HOUR, to: now }, now).to).toBe(now);
});

test('times are whole milliseconds, whatever was pointed at', () => {
  const odd = { from: 1000.25, to: 9_000_000.6 };
  for (const { from, to } of [
    zoomed(odd, 0.37, 4_000_000.1, now),
    panned(odd, 0.123, now),
    between(odd.from, odd.to, now),
    asked(zoomed(odd, 0.37, 4_000_000.1, now), now),
  ]) {
    expect([Number.isInteger(from), Number.isInteger(to)]).toEqual([true, true]);
  }
});

test('an address leads back to what it was made of', () => {
  expect(parseHash(hashOf('week'), now)).toBe('week');
  const view = { from: Date.UTC(2026, 0, 1, 3), to: Date.UTC(2026, 0, 1, 4) };
  expect(hashOf(view)).toBe('#2026-01-01T03:00:00Z/2026-01-01T04:00:00Z');
  expect(parseHash(hashOf(view), now)).toEqual(view);
  for (const wrong of ['', '#', '#never', '#2026-01-01T04:00:00Z/2026-01-01T03:00:00Z', '#x/y']) {
    expect(parseHash(wrong, now)).toBeNull();
  }
});

test('a view is told on the clock of the wall', () => {
  const summer = Date.UTC(2026, 6, 5, 22, 30);
  expect(viewWords({ from: summer, to: summer + HOUR })).toBe('Mon 6 July 2026, 00:30 to 01:30');
  expect(viewWords({ from: summer - HOUR, to: summer })).toBe('Sun 5 July, 23:30 to Mon 6 July 2026, 00:30');
  expect(viewWords(recent('year', now))).toBe('Sat 22 November 2025 to Sun 22 November 2026');
});
