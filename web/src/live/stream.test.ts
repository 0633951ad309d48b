import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Choice, type Way } from './choice';
import { followLive, type LiveEvents, type Ways } from './stream';
import { CLOSE, type LiveFrame } from './wire';

vi.mock('../api/client', () => ({ viewers: {} }));

// Two ways that the tests open, feed and cut; the rest is what runs in pages.

interface Open {
  way: Way;
  aborted: () => boolean;
  frame: (capturedAt: number) => void;
  end: (code: number) => void;
}

let opened: Open[];
let shown: number[];
let ways: string[];
let ended: number[];
let abort: AbortController;

function connector(way: Way) {
  return (take: (frame: LiveFrame) => Promise<boolean>, signal: AbortSignal) =>
    new Promise<number>((resolve) => {
      signal.addEventListener('abort', () => resolve(1006));
      opened.push({
        way,
        aborted: () => signal.aborted,
        frame: (capturedAt) =>
          void take({ sequence: 1n, skipped: 0, capturedAt, sentAt: capturedAt, jpeg: new Uint8Array(1) }),
        end: resolve,
      });
    });
}

function follow() {
  const events: LiveEvents = {
    received: () => {},
    show: (_, frame) => shown.push(frame.capturedAt),
    passedOver: () => {},
    way: (way, obstacle) => ways.push(`${way} ${obstacle ?? ''}`.trim()),
    status: () => {},
    ended: (code) => ended.push(code),
  };
  const [websocket, webtransport] = [connector('websocket'), connector('webtransport')];
  const all: Ways = {
    choice: new Choice({ secure: true, supported: true }),
    websocket: (_, take, signal) => websocket(take, signal),
    webtransport: ({ take }, signal) => webtransport(take, signal),
  };
  return followLive({ camera: 'fridge', wish: () => ({}) }, events, abort.signal, all);
}

async function settle() {
  await vi.advanceTimersByTimeAsync(0);
}

function last(): Open {
  const open = opened.at(-1);
  if (!open) throw new Error('nothing was opened');
  return open;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  vi.stubGlobal('dispatchEvent', page.dispatchEvent.bind(page));
  vi.stubGlobal('createImageBitmap', () => Promise.resolve({ close: () => {} }));
  [opened, shown, ways, ended] = [[], [], [], []];
  abort = new AbortController();
});

afterEach(async () => {
  abort.abort();
  await settle();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('without webtransport pictures come over websocket at once, and switch when it is there again', async () => {
  void follow();
  await settle();
  expect(last().way).toBe('webtransport');
  last().end(1006);
  await settle();
  const socket = last();
  expect(socket.way).toBe('websocket');
  socket.frame(1);
  await settle();
  expect([ways, ended]).toEqual([['websocket unreachable'], []]);

  await vi.advanceTimersByTimeAsync(30_000);
  const trial = last();
  expect([trial.way, socket.aborted()]).toEqual(['webtransport', false]);
  socket.frame(2);
  await settle();
  trial.frame(3);
  await settle();
  expect([socket.aborted(), trial.aborted()]).toEqual([true, false]);
  socket.frame(4);
  trial.frame(5);
  await settle();
  expect(shown).toEqual([1, 2, 3, 5]);
  expect(ways.at(-1)).toBe('webtransport');
});

test('a trial that fails leaves the websocket alone and is repeated later', async () => {
  void follow();
  await settle();
  last().end(1006);
  await settle();
  const socket = last();
  socket.frame(1);
  await vi.advanceTimersByTimeAsync(30_000);
  last().end(1006);
  await vi.advanceTimersByTimeAsync(59_000);
  expect([opened.length, socket.aborted()]).toEqual([3, false]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([opened.length, last().way]).toEqual([4, 'webtransport']);
});

test('a session that is lost goes on over websocket, and a changed network is tried at once', async () => {
  void follow();
  await settle();
  last().frame(1);
  await settle();
  last().end(1006);
  await settle();
  last().frame(2);
  await settle();
  expect(ways).toEqual(['webtransport', 'websocket unreachable']);
  globalThis.dispatchEvent(new Event('online'));
  await settle();
  expect([opened.length, last().way]).toEqual([3, 'webtransport']);
});

test('a late picture of the way that is left is not shown', async () => {
  void follow();
  await settle();
  last().end(1006);
  await settle();
  const socket = last();
  await vi.advanceTimersByTimeAsync(30_000);
  last().frame(9);
  socket.frame(8);
  await settle();
  expect(shown).toEqual([9]);
});

test('it is over when the camera is removed', async () => {
  const over = follow();
  await settle();
  last().end(CLOSE.cameraRemoved);
  await over;
  expect([opened.length, ended]).toEqual([1, [CLOSE.cameraRemoved]]);
});
