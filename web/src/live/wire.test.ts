import { expect, test } from 'vitest';
import { acknowledgement, parseFrame } from './wire';

const MESSAGE = [
  // version, flags, reserved
  '01 00 0000',
  // skipped: 3
  '00000003',
  // sequence: 2^32 + 5
  '0000000100000005',
  // captured at and sent at, microseconds: 1,790,000,000.123456 s, and 41.5 ms later
  '00065bfeda27c240 00065bfeda28645c',
  // the JPEG
  'ffd8ffd9',
].join('');

function bytes(hex: string): ArrayBuffer {
  const digits = hex.replaceAll(' ', '').match(/../g) ?? [];
  return new Uint8Array(digits.map((pair) => Number.parseInt(pair, 16))).buffer;
}

test('a frame is read by its widths', () => {
  const frame = parseFrame(bytes(MESSAGE));
  expect(frame.skipped).toBe(3);
  expect(frame.sequence).toBe(4_294_967_301n);
  expect(frame.capturedAt).toBeCloseTo(1_790_000_000_123.456, 3);
  expect(frame.sentAt - frame.capturedAt).toBeCloseTo(41.5, 3);
  expect([...frame.jpeg]).toEqual([0xff, 0xd8, 0xff, 0xd9]);
  expect(frame.asks).toBe(false);
  expect(parseFrame(bytes(MESSAGE.replace('01 00', '01 01'))).asks).toBe(true);
});

test('an unknown version and a message without a picture are refused', () => {
  expect(() => parseFrame(bytes(MESSAGE.replace('01', '02')))).toThrow('version 2');
  expect(() => parseFrame(bytes(MESSAGE).slice(0, 32))).toThrow('32 bytes');
});

test('the answer is the sequence in 8 bytes', () => {
  expect([...new Uint8Array(acknowledgement(4_294_967_301n))]).toEqual([0, 0, 0, 1, 0, 0, 0, 5]);
});
