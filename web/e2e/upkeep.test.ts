// What the one who looks after the hub does in the browser, on the real hub: cameras, their settings and keys,
// recording by hand, what is kept, tokens, and what a page does when another ends what it shows.

import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { keepPicture, openPage, startBrowser } from './browser';
import { end, startHub, type Hub } from './hub';

const NAME = 'anna';
const PASSWORD = 'milk-and-honey';

let hub: Hub;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let errors: string[];
let camera: ChildProcess;

beforeAll(async () => {
  hub = await startHub();
  browser = await startBrowser();
  // As for people who ask for no motion: a drawer that slides moves a button away from under a click.
  context = await browser.newContext({
    viewport: { width: 1280, height: 1000 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
  });
  ({ page, errors } = await openPage(context));
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await keepPicture(page, 'failed');
});

afterAll(async () => {
  await browser?.close();
  await hub?.stop();
});

test('the first admin needs a password of 8 characters and can sign in with it elsewhere', async () => {
  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await page.goto(`${hub.url}/sign-in#code=${code}`);
  await page.getByLabel('Name').fill(NAME);
  await page.getByLabel('Password').fill('milk');
  await page.getByRole('button', { name: 'Make me admin' }).click();
  expect(await page.locator('input:invalid').count()).toBe(1);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make me admin' }).click();
  await page.getByRole('heading', { name: 'No camera yet' }).waitFor();

  const elsewhere = await browser.newContext();
  const other = await elsewhere.newPage();
  await other.goto(hub.url);
  await other.getByLabel('Name').fill(NAME);
  await other.getByLabel('Password').fill(PASSWORD);
  await other.getByRole('button', { name: 'Sign in' }).click();
  await other.getByRole('heading', { name: 'No camera yet' }).waitFor();
  await elsewhere.close();
});

test('a camera added in the browser connects with the key that was shown', async () => {
  await page.goto(`${hub.url}/cameras`);
  await page
    .getByRole('button', { name: 'Add a camera' })
    .or(page.getByRole('link', { name: 'Add a camera' }))
    .first()
    .click();
  await page.getByLabel('Name').fill('pantry');
  await page.getByLabel('Title').fill('Pantry in the hall');
  await page.getByRole('button', { name: 'Add the camera' }).click();
  await page.getByRole('heading', { name: 'The key of pantry' }).waitFor();
  await keepPicture(page, 'key-desktop-light');
  camera = hub.connect('pantry', await keyShown());
  await page.getByRole('button', { name: 'I have it' }).click();
  await page.locator('tr [data-presence="Live"]').waitFor({ timeout: 60_000 });

  await page.getByRole('button', { name: 'Add a camera' }).click();
  await page.getByLabel('Name').fill('pantry');
  await page.getByRole('button', { name: 'Add the camera' }).click();
  await page.getByRole('alert').filter({ hasText: 'pantry' }).waitFor();
  await keepPicture(page, 'name-taken-desktop-light');
  await page.getByRole('button', { name: 'Cancel' }).click();
});

test('what is commanded is done by the camera and said', async () => {
  await page.getByRole('link', { name: 'Pantry in the hall' }).click();
  await page.locator('canvas[data-sequence]').waitFor();
  await page.getByRole('button', { name: 'Controls' }).click();
  await page.getByRole('slider', { name: 'Lamp' }).fill('128');
  await said('Lamp').waitFor();
  await page.getByRole('slider', { name: 'Pan', exact: true }).fill('30');
  // The simulated camera cannot turn: it says so, and the slider does not claim that it did.
  await said('no servos').waitFor();
  await page.waitForFunction(
    () => document.querySelector<HTMLInputElement>('input[min="-90"]')?.value === '0',
  );
  await page.getByRole('button', { name: 'Take a full-size picture' }).click();
  await said('Full-size picture').waitFor();
  await keepPicture(page, 'controls-desktop-light');
  await page.getByRole('button', { name: 'Restart it' }).click();
  await said('Restart').waitFor();
  await page.locator('main [data-presence="Live"]').waitFor({ timeout: 60_000 });
});

test('settings are saved, reach the picture, and can be undone', async () => {
  await page.getByLabel('Title').fill('Larder');
  await page.getByLabel('Size').selectOption('320x240');
  await page.getByRole('button', { name: 'Save' }).click();
  await said('Saved').waitFor();
  await page.getByRole('heading', { name: 'Larder', level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector('canvas')?.width === 320);
  await keepPicture(page, 'saved-desktop-light');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('heading', { name: 'Pantry in the hall', level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector('canvas')?.width === 640);
  expect(await page.getByLabel('Size').inputValue()).toBe('640x480');
  expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
});

test('playing goes on past the end of a recording that still goes on, and never blinks', async () => {
  await page.goto(`${hub.url}/recordings/pantry/${new Date().toLocaleDateString('sv')}`);
  await page.locator('time[data-state="ready"]').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Play' }).first().click();
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 0.5);
  // From here on each frame of the screen is looked at: the picture must never be gone.
  const began = await page.evaluate(() => {
    const seen = window as unknown as { blanks: number };
    seen.blanks = 0;
    const look = () => {
      const video = document.querySelector('video');
      if (!video || video.readyState < 2 || video.videoWidth === 0) seen.blanks += 1;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    return Date.now();
  });
  // Past the time at which it was begun to play: what is played then was not yet there.
  await page.waitForFunction(
    (from) => Date.parse(document.querySelector('time[data-state]')?.getAttribute('datetime') ?? '') > from,
    began,
    { timeout: 100_000 },
  );
  await keepPicture(page, 'edge-desktop-light');
  expect(await page.evaluate(() => (window as unknown as { blanks: number }).blanks)).toBe(0);
});

test('a moment that is not in the list yet is shown as soon as it is', async () => {
  const link = page.url().replace(/#.*/, '');
  const now = await page.evaluate(() => new Date(Date.now() + 3000).toLocaleTimeString('sv'));
  await page.goto(hub.url);
  await page.goto(`${link}#${now}`);
  await page.locator('time[data-state="end"]').waitFor();
  await page.locator('time[data-state="ready"]').waitFor({ timeout: 60_000 });
});

test('a minute is kept with p, and no longer after Undo', async () => {
  await page.keyboard.press('p');
  await said('is kept').waitFor();
  await page.getByRole('heading', { name: 'Kept for good' }).waitFor();
  await keepPicture(page, 'kept-desktop-light');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('heading', { name: 'Kept for good' }).waitFor({ state: 'detached' });
  await page.keyboard.press('p');
  await page.getByRole('button', { name: 'Do not keep' }).click();
  await page.getByRole('heading', { name: 'Kept for good' }).waitFor({ state: 'detached' });
});

test('a link for a player plays without signing in', async () => {
  await page.getByRole('button', { name: 'Link for a player' }).click();
  const link = await page.locator('.link code').textContent();
  await keepPicture(page, 'link-desktop-light');
  const playlist = await fetch(link ?? '');
  expect(playlist.status).toBe(200);
  const media = (await playlist.text()).split('\n').find((line) => line.includes('.m4s')) ?? '';
  expect((await fetch(new URL(media, link ?? ''))).status).toBe(200);
  const without = new URL(link ?? '');
  without.search = '';
  expect((await fetch(without)).status).toBe(401);
});

test('recording by hand starts and stops by one button', async () => {
  await page.goto(`${hub.url}/cameras/pantry`);
  await page.getByRole('button', { name: 'Controls' }).click();
  await page.getByText('When started').click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Record', exact: true }).click();
  await page.getByRole('button', { name: 'Stop recording' }).waitFor();
  await keepPicture(page, 'recording-desktop-light');
  await page.getByRole('button', { name: 'Stop recording' }).click();
  await page.getByRole('button', { name: 'Record', exact: true }).waitFor();
});

test('a token works until it is ended', async () => {
  await page.getByRole('link', { name: 'System' }).click();
  await page.getByLabel('Name of the new token').fill('television');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const secret = await page.locator('.made code').textContent();
  await keepPicture(page, 'token-desktop-light');
  const look = async () => {
    const answer = await fetch(`${hub.url}/cameras/pantry/snapshot.jpg`, {
      headers: { authorization: `Bearer ${secret ?? ''}` },
    });
    return answer.status;
  };
  expect(await look()).toBe(200);
  await page.locator('li', { hasText: 'television' }).getByRole('button', { name: 'End it' }).click();
  await keepPicture(page, 'confirm-desktop-light');
  await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
  await page.locator('li', { hasText: 'television' }).waitFor({ state: 'detached' });
  expect(await page.locator('.made').count()).toBe(0);
  expect(await look()).toBe(401);
});

test('long work says how far it is, and why it waits, until it is cancelled', async () => {
  await page.goto(`${hub.url}/system`);
  await page.getByText('nothing under way').waitFor();
  // As left by a hub whose disk failed in the middle: it is tried again in a while.
  await hub.past(`INSERT INTO jobs (id, kind, lane, title, input, created_at, attempts, next_attempt_at, error, done,
    total, unit) VALUES ('01a22c7c-0000-7000-8000-000000000001', 'recording_deletion', '', 'delete 300 recordings',
    '{"runs": []}', now(), 1, now() + interval '5 min', 'the disk failed', 120, 300, 'segments')`);
  const job = page.getByRole('listitem').filter({ hasText: 'delete 300 recordings' });
  await job.getByText('the disk failed; again in').waitFor();
  expect(await job.getByRole('progressbar').getAttribute('value')).toBe('120');
  await page.getByText('1 job under way').waitFor();
  await keepPicture(page, 'jobs-desktop-light');
  await job.getByRole('button', { name: 'Cancel' }).click();
  await job.getByText('cancelled').waitFor();
  await page.getByText('nothing under way').waitFor();

  const range = ['--from', '2020-01-01', '--to', '2020-01-02'];
  expect(await hub.larderctl('recording', 'delete', 'pantry', ...range, '--yes')).toMatchObject({
    job: null,
  });
});

test('a new key ends the old one, and the camera comes back with it', async () => {
  await page.goto(`${hub.url}/cameras/pantry`);
  await page.locator('main [data-presence="Live"]').waitFor();
  await page.getByRole('button', { name: 'Controls' }).click();
  await page.getByRole('button', { name: 'New key' }).click();
  await page.getByRole('button', { name: 'Make a new key' }).click();
  await page.getByRole('heading', { name: 'The key of pantry' }).waitFor();
  await page.locator('main [data-presence="Live"]').waitFor({ state: 'detached' });
  await page.getByText('No picture for').waitFor();
  await keepPicture(page, 'rotated-desktop-light');
  await end(camera);
  camera = hub.connect('pantry', await keyShown());
  await page.locator('main [data-presence="Live"]').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'I have it' }).click();
  await page.getByRole('button', { name: 'New key' }).waitFor();
});

test('every page and panel fits 320 pixels', async () => {
  await page.setViewportSize({ width: 320, height: 640 });
  const day = `/recordings/pantry/${new Date().toLocaleDateString('sv')}`;
  const fits = async (title: string) => {
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.screenshot({ path: `${import.meta.dirname}/artifacts/${title}-narrow.png`, fullPage: true });
    expect(beyond, title).toBeLessThanOrEqual(0);
  };
  const visits: [string, string, () => Locator, (() => Promise<void>)?][] = [
    ['home', '/', () => page.locator('canvas[data-sequence]')],
    ['cameras', '/cameras#add', () => page.getByLabel('Name')],
    [
      'camera',
      '/cameras/pantry',
      () => page.locator('canvas[data-sequence]'),
      async () => {
        await page.getByRole('button', { name: 'Controls' }).click();
        await page.getByRole('button', { name: 'New key' }).waitFor();
      },
    ],
    ['recordings', '/recordings', () => page.locator('.ribbon .span').first()],
    [
      'day',
      day,
      () => page.locator('time[data-state="ready"]'),
      async () => {
        await page.getByRole('button', { name: 'Link for a player' }).click();
        await page.locator('.link code').waitFor();
      },
    ],
    ['system', '/system', () => page.getByText('ready').first()],
  ];
  for (const [title, path, sign, unfold] of visits) {
    await page.goto(hub.url + path);
    await sign().waitFor();
    await unfold?.();
    await fits(title);
  }
  await page.setViewportSize({ width: 1280, height: 1000 });
});

test('a camera removed elsewhere is said to be gone, and one removed here leaves the list', async () => {
  await hub.simulate('spare');
  await page.goto(`${hub.url}/cameras/spare`);
  await page.locator('canvas[data-sequence]').waitFor({ timeout: 60_000 });
  await hub.larderctl('camera', 'remove', 'spare', '--yes');
  await page.getByRole('heading', { name: 'There is no camera' }).waitFor();
  await keepPicture(page, 'gone-desktop-light');

  await page.goto(`${hub.url}/cameras/pantry`);
  await page.getByRole('button', { name: 'Controls' }).click();
  await page.getByRole('button', { name: 'Remove the camera' }).click();
  await keepPicture(page, 'remove-desktop-light');
  await page.getByRole('button', { name: 'Remove it for good' }).click();
  await said('was removed').waitFor();
  await page.getByRole('heading', { name: 'No camera yet' }).waitFor();
  await keepPicture(page, 'removed-desktop-light');
});

test('a page whose session was ended elsewhere asks who is there', async () => {
  await hub.simulate('door');
  await page.goto(`${hub.url}/cameras/door`);
  await page.locator('canvas[data-sequence]').waitFor({ timeout: 60_000 });
  expect(errors.filter((error) => !error.includes('409'))).toEqual([]);
  const { page: other } = await openPage(context);
  await other.goto(`${hub.url}/system`);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Password').waitFor();
  expect(new URL(page.url()).searchParams.get('next')).toBe('/cameras/door');
});

/** What the page says in passing, newest last. */
function said(words: string): Locator {
  return page.locator('.toast').filter({ hasText: words }).last();
}

/** The key that the page shows, once and never again. */
async function keyShown(): Promise<string> {
  const line = await page.locator('.key code').last().textContent();
  const key = /--key ([0-9a-f]{64})/.exec(line ?? '')?.[1];
  if (!key) throw new Error(`there is no key in ${line ?? 'nothing'}`);
  return key;
}
