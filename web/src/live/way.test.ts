import { expect, test } from 'vitest';
import { limitWords, wayWords, type Transport } from './way';

const over = (partial: Partial<Transport>): Transport => ({
  way: 'websocket',
  obstacle: null,
  limits: {},
  limitedBy: 'nothing',
  ...partial,
});

test('the way is named, and why it is not the better one', () => {
  expect(wayWords(over({ way: 'webtransport' })).name).toBe('WebTransport');
  expect(wayWords(over({ obstacle: 'insecure' })).why).toContain('plain HTTP');
  expect(wayWords(over({ obstacle: 'unreachable' })).why).toContain('UDP port');
});

test('only what the line holds down is told', () => {
  expect(limitWords(over({ limitedBy: 'wish', limits: { fps: 10 } }))).toBe('');
  expect(limitWords(over({ limitedBy: 'line', limits: { fps: 2, width: 320, height: 240 } }))).toBe(
    '2 fps, 320 × 240',
  );
  expect(limitWords(over({ limitedBy: 'line', limits: { fps: 5 } }))).toBe('5 fps');
});
