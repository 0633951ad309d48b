import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hello, Messages, parseStream, ping, report, wish, wishFor } from './relay';

/** The bytes that both sides are held to. */
function vector(name: string): Uint8Array<ArrayBuffer> {
  const text = readFileSync(join(import.meta.dirname, `../../../proto/vectors/relay-${name}.hex`), 'utf8');
  const digits = text.replaceAll(/#.*$/gm, '').match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
}

test('what the page says is laid out as in the vectors', () => {
  // The page has no secret to tell: it is the vector's without one.
  const whole = vector('hello');
  const expected = whole.slice(0, -6);
  expected[expected.length - 1] = 0;
  expected[2] = (whole[2] ?? 0) - 6;
  expect(hello('fridge', { fps: 5, width: 640 }, 'larderctl 0.1')).toEqual(expected);
  expect(wish({})).toEqual(vector('wish'));
  expect(ping().length).toBe(vector('ping').length);
  const counted = vector('report');
  counted.set([0xff, 0xff, 0xff, 0xff], counted.length - 4);
  expect(report(1000, 3)).toEqual(counted);
});

test('what the hub says is read however it is cut', () => {
  const parts = [vector('welcome'), Uint8Array.of(0x80, 0, 1, 9), vector('status'), vector('pong')];
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
  const status = {
    kind: 'status',
    limitedBy: 'line',
    window: 4,
    limits: { fps: 7.5, width: 320, height: 240 },
    delivered: 500,
    skipped: 20,
  };
  const expected = [{ kind: 'welcome', name: 'fridge' }, status, { kind: 'pong' }];
  for (const size of [1, 7, bytes.length]) {
    const messages = new Messages();
    const found = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...messages.push(bytes.slice(at, at + size)));
    expect(found).toEqual(expected);
  }
});

test('a message that is too long or unknown ends the stream', () => {
  expect(() => new Messages().push(Uint8Array.of(32, 4, 1))).toThrow('1025 bytes');
  expect(() => new Messages().push(Uint8Array.of(5, 0, 0))).toThrow('type 5');
});

test('a frame is read whole or not at all', () => {
  const stream = new Uint8Array(40 + 4096);
  stream.set(vector('frame'));
  const frame = parseStream(stream);
  expect([frame.skipped, frame.sequence, frame.jpeg.length]).toEqual([3, 258n, 4096]);
  expect(frame.capturedAt).toBeCloseTo(1_700_000_000_123.456, 3);
  expect(frame.sentAt - frame.capturedAt).toBeCloseTo(40, 3);
  expect(() => parseStream(stream.slice(0, -1))).toThrow('4135 bytes');
  expect(() => parseStream(stream.slice(0, 40))).toThrow('40 bytes');
  stream[0] = 2;
  expect(() => parseStream(stream)).toThrow('version 2');
});

test('a smaller picture is asked for only where it is as large as it is shown', () => {
  expect(wishFor(640, 640, false)).toEqual({});
  expect(wishFor(640, 400, false)).toEqual({});
  expect(wishFor(1600, 800, false)).toEqual({ width: 800 });
  expect(wishFor(1600, 780, true)).toEqual({ fps: 10, width: 800 });
  expect(wishFor(1600, 300, true)).toEqual({ fps: 10, width: 400 });
  expect(wishFor(1600, 0, true)).toEqual({ fps: 10 });
});
