// Boards of another make on the page: added by their stream's address or to push, and shown without what they lack.

import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { enter, FORMS, inEachForm, keepPicture, keepWhole, openPage, startBrowser } from './browser';
import { startHub, type Hub } from './hub';

let hub: Hub;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let errors: string[];
let board: Server;

beforeAll(async () => {
  hub = await startHub({ boards: true });
  browser = await startBrowser();
  context = await browser.newContext({ viewport: FORMS[1].viewport, colorScheme: 'light' });
  ({ page, errors } = await openPage(context));
  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await enter(page, hub.url, code);
});

afterAll(async () => {
  await browser?.close();
  await hub?.stop();
  board?.closeAllConnections();
  board?.close();
});

async function add(name: string, source: string) {
  await page.goto(`${hub.url}/cameras#add`);
  await page.getByLabel('Name').fill(name);
  await page.getByText(source, { exact: true }).click();
}

test('a board is added by the address of its stream, and its picture appears', async () => {
  board = await streaming(await drawn(page));
  await add('porch', 'Fetched over HTTP');
  const { port } = board.address() as AddressInfo;
  await page.getByLabel('Address of its stream').fill(`http://anna:hush@127.0.0.1:${port}/stream`);
  await inEachForm(page, (form) => keepWhole(page, `board-${form}`));
  await page.getByRole('button', { name: 'Add the camera' }).click();
  await page.locator('tr [data-presence="Live"]').waitFor({ timeout: 60_000 });
  await page.getByRole('link', { name: 'porch' }).first().click();
  await page.locator('canvas[data-sequence]').waitFor();
  expect(await page.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.width)).toBe(320);
});

test('what such a board cannot do is not offered, and its password is not shown', async () => {
  await page.getByRole('button', { name: 'Controls' }).click();
  const drawer = page.getByRole('region', { name: 'Controls of porch' });
  await drawer
    .getByText(/Fetched from http:\/\/127\.0\.0\.1:\d+\/stream, with a user and password/)
    .waitFor();
  expect(await drawer.getByLabel('Title').count()).toBe(1);
  for (const lacking of ['Size', 'Quality', 'Lamp']) expect(await drawer.getByLabel(lacking).count()).toBe(0);
  expect(await page.content()).not.toContain('hush');
  await keepPicture(page, 'board-controls-desktop-light');
});

test('why a board is offline stands on its page', async () => {
  board.closeAllConnections();
  board.close();
  await page.getByText(/^Offline: it cannot be reached: Connection refused/).waitFor({ timeout: 30_000 });
  await keepPicture(page, 'board-offline-desktop-light');
});

test('a board that pushes is shown where to, once', async () => {
  await add('cellar', 'Pushed over WebSocket');
  await page.getByRole('button', { name: 'Add the camera' }).click();
  await page.getByRole('heading', { name: 'Where cellar sends its pictures' }).waitFor();
  const to = page.getByText(/ws:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}/);
  await to.filter({ hasText: `ws://${hub.address('boards_websocket')}/` }).waitFor();
  await keepPicture(page, 'board-path-desktop-light');
  await page.getByRole('button', { name: 'I have it' }).click();
  await page.getByRole('link', { name: 'cellar' }).first().click();
  await page.getByText('Pushed over WebSocket, to a secret path.').waitFor();
  expect(errors).toEqual([]);
});

/** A picture of 320×240 that the browser draws. */
async function drawn(page: Page): Promise<Buffer> {
  const url = await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 240];
    const drawing = canvas.getContext('2d');
    drawing?.fillRect(40, 40, 100, 60);
    return canvas.toDataURL('image/jpeg');
  });
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
}

/** A board's web server: the same picture four times a second, as Espressif's example sends it. */
async function streaming(jpeg: Buffer): Promise<Server> {
  const boundary = '123456789000000000000987654321';
  const server = createServer((_, answer) => {
    answer.setHeader('Content-Type', `multipart/x-mixed-replace;boundary=${boundary}`);
    const send = () => {
      answer.write(`\r\n--${boundary}\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
      answer.write(jpeg);
    };
    send();
    const sending = setInterval(send, 250);
    answer.on('close', () => clearInterval(sending));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
