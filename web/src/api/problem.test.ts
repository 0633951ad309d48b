import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { isAbort, isUnreachable, problem } from './problem';

test('what the hub says becomes a sentence', () => {
  expect(problem(new ConnectError('no such camera "fridge"', Code.NotFound))).toBe(
    'No such camera "fridge".',
  );
});

test('a hub that is away is told from one that refuses', () => {
  expect(isUnreachable(new TypeError('Failed to fetch'))).toBe(true);
  expect(isUnreachable(new ConnectError('', Code.PermissionDenied))).toBe(false);
  expect(problem(new TypeError('Failed to fetch'))).toContain('does not answer');
});

test('our own abort is no problem', () => {
  expect(isAbort(new DOMException('', 'AbortError'))).toBe(true);
  expect(isAbort(new ConnectError('', Code.Canceled))).toBe(true);
  expect(isAbort(new ConnectError('', Code.Internal))).toBe(false);
});
