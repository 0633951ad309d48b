// Live pictures over WebTransport against the real hub: it falls back where UDP is blocked, and comes back by itself.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { enter, FORMS, inEachForm, keepPicture, keepWhole, openPage, startBrowser } from './browser';
import { openWay, startHub, type Hub } from './hub';

let hub: Hub;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let errors: string[];
let block: (() => void) | null = null;

beforeAll(async () => {
  // Pages dial the host they came from, where nothing listens over UDP until a way is opened.
  hub = await startHub({ relay: '127.0.0.2' });
  browser = await startBrowser();
  context = await browser.newContext({ viewport: FORMS[0].viewport, colorScheme: 'dark' });
  ({ page, errors } = await openPage(context));
  await hub.simulate('fridge');
  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await enter(page, hub.url, code);
});

afterAll(async () => {
  block?.();
  await browser?.close();
  await hub?.stop();
});

function way(name: string) {
  return page.locator('[data-figure="way"]', { hasText: name });
}

async function sequence(): Promise<number> {
  return page
    .locator('canvas[data-sequence]')
    .evaluate((canvas: HTMLCanvasElement) => Number(canvas.dataset['sequence']));
}

async function goesOn() {
  const before = await sequence();
  await page.waitForFunction(
    (old) =>
      Number(document.querySelector<HTMLCanvasElement>('canvas[data-sequence]')?.dataset['sequence']) >
      old + 5,
    before,
  );
}

interface Viewer {
  protocol: string;
  limits: { fps: number | null } | null;
}

async function viewers(): Promise<Viewer[]> {
  return (await hub.larderctl('viewer', 'list')) as Viewer[];
}

async function protocols(): Promise<string[]> {
  return (await viewers()).map(({ protocol }) => protocol);
}

test('where UDP is blocked pictures come over WebSocket by themselves', async () => {
  await page.goto(`${hub.url}/cameras/fridge`);
  await way('WebSocket').waitFor({ timeout: 60_000 });
  await goesOn();
  expect(await way('WebSocket').locator('..').getAttribute('title')).toContain('UDP port');
  await keepPicture(page, 'camera-websocket-desktop-dark');
});

test('once the way is open they switch to WebTransport without a black moment', async () => {
  block = await openWay('127.0.0.1', hub.address('relay'));
  // Looks at the picture as often as the screen does, from now on.
  await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('canvas[data-sequence]');
    const context = canvas?.getContext('2d');
    const seen = { looks: 0, black: 0 };
    Object.assign(globalThis, { seen });
    const look = () => {
      const [red = 0, green = 0, blue = 0] =
        context?.getImageData((canvas?.width ?? 0) / 2, (canvas?.height ?? 0) / 2, 1, 1).data ?? [];
      seen.looks += 1;
      if (red + green + blue === 0) seen.black += 1;
      requestAnimationFrame(look);
    };
    look();
    globalThis.dispatchEvent(new Event('online'));
  });
  await way('WebTransport').waitFor({ timeout: 30_000 });
  await goesOn();
  const seen = await page.evaluate(
    () => (globalThis as unknown as { seen: { looks: number; black: number } }).seen,
  );
  expect(seen.looks).toBeGreaterThan(5);
  expect(seen.black).toBe(0);
  expect(await protocols()).toContain('webtransport');
});

test('the page says which way they come, in all forms', async () => {
  await inEachForm(page, async (form) => {
    await way('WebTransport').waitFor();
    await goesOn();
    await keepWhole(page, `camera-webtransport-${form}`);
  });
});

test('thumbnails are asked for at a lower rate', async () => {
  await page.goto(hub.url);
  await page.locator('canvas[data-sequence]').waitFor();
  const deadline = Date.now() + 20_000;
  while (!(await viewers()).some(({ limits }) => limits?.fps === 10))
    expect(Date.now()).toBeLessThan(deadline);
  await page.goto(`${hub.url}/cameras/fridge`);
  await way('WebTransport').waitFor();
});

test('a session whose line is cut goes on over WebSocket', async () => {
  await goesOn();
  block?.();
  block = null;
  await way('WebSocket').waitFor({ timeout: 30_000 });
  await goesOn();
  expect((await protocols()).filter((protocol) => protocol === 'websocket')).toHaveLength(1);
  // What the browser says of connections that failed is no fault of the page.
  expect(errors.filter((error) => !/WebTransport|QUIC|ERR_|Failed to establish/.test(error))).toEqual([]);
});
