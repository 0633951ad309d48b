import { expect, test } from 'vitest';
import { Choice } from './choice';

const able = { secure: true, supported: true };

test('webtransport comes first where the browser has it', () => {
  expect(new Choice(able).way(0)).toBe('webtransport');
  const plain = new Choice({ secure: false, supported: false });
  expect([plain.way(0), plain.pause(0), plain.obstacle]).toEqual(['websocket', null, 'insecure']);
  const old = new Choice({ secure: true, supported: false });
  expect([old.way(0), old.pause(0), old.obstacle]).toEqual(['websocket', null, 'unsupported']);
});

test('after a failure it is tried again, after longer and longer', () => {
  const choice = new Choice(able);
  const pauses = [];
  let now = 1000;
  for (let i = 0; i < 7; i += 1) {
    choice.failed(now);
    expect([choice.way(now), choice.obstacle]).toEqual(['websocket', 'unreachable']);
    const pause = choice.pause(now) ?? 0;
    pauses.push(pause / 1000);
    now += pause;
    expect(choice.way(now)).toBe('webtransport');
  }
  expect(pauses).toEqual([30, 60, 120, 240, 480, 600, 600]);
  choice.worked();
  expect(choice.obstacle).toBeNull();
});

test('cameras that fail together are one failure, and a changed network is tried at once', () => {
  const choice = new Choice(able);
  choice.failed(0);
  choice.failed(10);
  choice.failed(20);
  expect(choice.pause(20)).toBe(29_980);
  choice.soon();
  expect(choice.way(21)).toBe('webtransport');
});
