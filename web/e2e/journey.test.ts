// A newcomer's journey through the real hub: in by the link, the live picture, a recording, and back in by password.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { FORMS, keepPicture, keepWhole, openPage, startBrowser } from './browser';
import { startHub, type Hub } from './hub';
import { likenesses } from './picture';

const NAME = 'anna';
const PASSWORD = 'milk-and-honey';

let hub: Hub;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let errors: string[];

beforeAll(async () => {
  hub = await startHub();
  browser = await startBrowser();
  context = await browser.newContext({ viewport: FORMS[0].viewport, colorScheme: 'dark' });
  ({ page, errors } = await openPage(context));
});

afterAll(async () => {
  await browser?.close();
  await hub?.stop();
});

test('a newcomer without a link is told how to get one', async () => {
  await page.goto(hub.url);
  await page.getByRole('heading', { name: 'Larder is new here' }).waitFor();
  await page.getByText('larderctl sign-in-link').waitFor();
  await keepPicture(page, 'new-desktop-dark');
});

test('the one-time link makes the first admin', async () => {
  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await page.goto(`${hub.url}/sign-in#code=${code}`);
  await page.getByRole('heading', { name: 'Make yourself admin' }).waitFor();
  expect(page.url()).not.toContain(code);
  await page.getByLabel('Name').fill(NAME);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make me admin' }).click();
  await page.getByRole('heading', { name: 'No camera yet' }).waitFor();
  await keepPicture(page, 'empty-desktop-dark');
});

test('the live picture of a camera that connects appears by itself and changes', async () => {
  await hub.simulate('fridge');
  const tile = page.getByRole('link', { name: /fridge/ });
  await tile.locator('[data-presence="Live"]').waitFor({ timeout: 90_000 });
  await tile.first().click();
  await page.getByRole('heading', { name: 'fridge' }).waitFor();

  const canvas = page.locator('canvas[data-sequence]');
  await canvas.waitFor();
  const before = await canvas.evaluate((element: HTMLCanvasElement) => element.toDataURL());
  await page.waitForFunction(
    (old) => document.querySelector<HTMLCanvasElement>('canvas[data-sequence]')?.toDataURL() !== old,
    before,
  );
  const figure = (name: string) => page.locator(`[data-figure="${name}"]`);
  await page.waitForFunction(
    () => Number.parseFloat(document.querySelector('[data-figure="fps"]')?.textContent ?? '') > 2,
  );
  expect(await figure('age').textContent()).toMatch(/^\d[\d.]* m?s$/);
  expect(await figure('skipped').textContent()).toMatch(/^\d+ frames?$/);
  await page
    .getByText(/-\d+ dBm/)
    .first()
    .waitFor({ timeout: 60_000 });
});

test('a recording plays, its time on the wall is that of its pictures', async () => {
  // A picture and the time it was taken, as the hub says it, before it is found again in the recording.
  const answer = await context.request.get(`${hub.url}/cameras/fridge/snapshot.jpg`);
  const taken = {
    at: Date.parse(answer.headers()['x-captured-at'] ?? ''),
    jpeg: (await answer.body()).toString('base64'),
  };
  expect(Math.abs(Date.now() - taken.at)).toBeLessThan(5000);

  await recordedUntil(taken.at + 6000);
  await page.getByRole('link', { name: 'Recordings' }).last().click();
  await page.locator('time[data-state="ready"]').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Play' }).first().click();

  const video = page.locator('video');
  const start = await moment();
  await page.waitForFunction(
    (from) => (document.querySelector('video')?.currentTime ?? 0) > from + 2,
    start.media,
  );
  const end = await moment();
  expect(Math.abs(end.wall - start.wall - (end.media - start.media) * 1000)).toBeLessThan(400);
  await keepPicture(page, 'playing-desktop-dark');

  await page.getByRole('button', { name: 'Pause' }).click();
  const offsets = [-2000, -1000, 0, 1000, 2000];
  const far = await likenesses(page, taken, offsets);
  expect(offsets[far.indexOf(Math.min(...far))], `differences ${far.join(', ')}`).toBe(0);
  await video
    .evaluate((element: HTMLVideoElement) => element.error?.message)
    .then((error) => {
      expect(error).toBeUndefined();
    });
});

test('keys move the playhead', async () => {
  const before = await moment();
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(
    (wall) =>
      wall - Date.parse(document.querySelector('time[data-state]')?.getAttribute('datetime') ?? '') > 900,
    before.wall,
  );
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Pause' }).waitFor();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Play' }).first().waitFor();
});

test('every page stands in four forms without a fault or a sideways scroll', async () => {
  const cookies = await context.cookies();
  for (const { name, viewport, colorScheme } of FORMS) {
    const other = await browser.newContext({ viewport, colorScheme });
    await other.addCookies(cookies);
    const { page: shown, errors: wrong } = await openPage(other);
    for (const [title, path, sign] of PAGES) {
      await shown.goto(`${hub.url}${path}`);
      await shown.locator(sign).first().waitFor();
      await keepWhole(shown, `${title}-${name}`);
    }
    expect(wrong).toEqual([]);
    await other.close();
  }
});

test('who signs out needs the password again, and is then where they were', async () => {
  await page.getByRole('link', { name: 'System' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Larder' }).waitFor();
  // What is refused from here on is noted by the browser as an error of its own.
  expect(errors).toEqual([]);
  expect((await context.request.get(`${hub.url}/cameras/fridge/snapshot.jpg`)).status()).toBe(401);

  await page.getByLabel('Name').fill(NAME);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('[role="alert"]').filter({ hasText: /\w/ }).waitFor();
  await keepPicture(page, 'sign-in-desktop-dark');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'System' }).waitFor();
});

const PAGES = [
  ['home', '/', 'canvas[data-sequence]'],
  ['cameras', '/cameras', '[data-presence="Live"]'],
  ['camera', '/cameras/fridge', 'canvas[data-sequence]'],
  ['recordings', '/recordings', '.ribbon .span'],
  ['day', `/recordings/fridge/${new Date().toLocaleDateString('sv')}`, 'time[data-state="ready"]'],
  ['system', '/system', 'text=ready'],
] as const;

/** Where playback stands: on the wall in milliseconds, in the media in seconds. */
async function moment(): Promise<{ wall: number; media: number }> {
  return page.evaluate(() => ({
    wall: Date.parse(document.querySelector('time[data-state]')?.getAttribute('datetime') ?? ''),
    media: document.querySelector('video')?.currentTime ?? 0,
  }));
}

/** Waits until the hub's own list says that a moment is recorded. */
async function recordedUntil(wall: number) {
  const lines = async () => {
    const answer = await context.request.get(
      `${hub.url}/hls/fridge/${new Date(wall - 120_000).toISOString()}/${new Date(wall + 60_000).toISOString()}.m3u8`,
    );
    return answer.ok() ? (await answer.text()).split('\n') : [];
  };
  const deadline = Date.now() + 90_000;
  while (Date.now() < deadline) {
    let end = 0;
    for (const line of await lines()) {
      if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) end = Date.parse(line.slice(25));
      if (line.startsWith('#EXTINF:')) end += Number.parseFloat(line.slice(8)) * 1000;
    }
    if (end > wall) return;
    await page.waitForTimeout(500);
  }
  throw new Error('nothing was recorded in 90 s');
}
