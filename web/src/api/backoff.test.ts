import { expect, test } from 'vitest';
import { pauseBefore, wait } from './backoff';

test('pauses double up to ten seconds and are spread over their upper half', () => {
  expect(pauseBefore(0, () => 0)).toBe(250);
  expect(pauseBefore(0, () => 1)).toBe(500);
  expect(pauseBefore(3, () => 1)).toBe(4000);
  expect(pauseBefore(50, () => 1)).toBe(10_000);
});

test('a wait ends when it is aborted', async () => {
  const abort = new AbortController();
  const waiting = wait(1_000_000, abort.signal);
  abort.abort();
  await waiting;
  await wait(1_000_000, abort.signal);
});
