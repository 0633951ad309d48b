// An alarm from its rule to its end, on the real hub with real datagrams.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { enter, FORMS, isAtRest, keepPicture, keepWhole, openPage, startBrowser } from './browser';
import { startHub, type Hub } from './hub';
import { pastOf } from './past';

let hub: Hub;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let errors: string[];
/** What a webhook was posted: the occasion of each message, and whether it was signed. */
const posted: { occasion: string; signed: boolean }[] = [];
let receiver: Server;

beforeAll(async () => {
  hub = await startHub();
  browser = await startBrowser();
  context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
  });
  ({ page, errors } = await openPage(context));
  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await enter(page, hub.url, code);
  await hub.larderctl('sensor', 'add', 'door', '--text=127.0.0.1=door', '--title=Door shelf');
  await hub.past(pastOf('door', 3.4, 1.2));
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      const { occasion } = JSON.parse(body) as { occasion: string };
      posted.push({ occasion, signed: request.headers['x-larder-signature'] !== undefined });
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await keepPicture(page, 'failed-alarms');
});

afterAll(async () => {
  await browser?.close();
  await hub?.stop();
  receiver?.close();
});

test('a rule is made of advice, whose source is named', async () => {
  await page.goto(`${hub.url}/alarms`);
  await page.getByText('Nothing is watched yet').waitFor();
  await page.getByRole('button', { name: /fridge warm: above 5 °C/i }).click();
  const form = page.locator('section', { hasText: 'Alarm when' }).last();
  await form.getByRole('link').waitFor();
  expect(await form.getByRole('link').getAttribute('href')).toMatch(/^https:/);
  expect(await form.getByLabel('Limit, °C').inputValue()).toBe('5');
  await form.getByRole('combobox', { name: 'Sensor', exact: true }).selectOption({ label: 'Door shelf' });
  await keepPicture(page, 'rule-desktop-light');
  await form.getByLabel('For', { exact: true }).fill('0');
  await form.getByLabel('And gone for, unit').selectOption('seconds');
  await form.getByLabel('And gone for', { exact: true }).fill('1');
  await form.getByRole('button', { name: 'Add the rule' }).click();
  await page.locator('[data-rule="fridge-warm"]', { hasText: 'Door shelf above 5 °C' }).waitFor();
});

test('a webhook is added, its secret shown once, and a test goes through it', async () => {
  const { port } = receiver.address() as AddressInfo;
  await page.getByRole('button', { name: 'Add a channel' }).click();
  const form = page.getByRole('region', { name: 'New channel' });
  await form.getByText('Webhook').click();
  await form.getByLabel('Name').fill('house');
  await form.getByLabel('Address').fill('ftp://example.org/larder');
  await form.getByRole('button', { name: 'Add the channel' }).click();
  await form.getByRole('alert').waitFor();
  await keepPicture(page, 'channel-refused-desktop-light');
  await form.getByLabel('Address').fill(`http://127.0.0.1:${port}/larder`);
  await form.getByRole('button', { name: 'Add the channel' }).click();
  await page.getByText('shown now and never again').waitFor();
  const channel = page.locator('[data-channel="house"]');
  await channel.getByRole('button', { name: 'Test' }).click();
  await channel.getByText('It went through').waitFor();
  await keepPicture(page, 'channel-desktop-light');
  expect(posted).toEqual([{ occasion: 'test', signed: true }]);
});

test('the band of the rule lies on the graph, above its limit and not below', async () => {
  await page.goto(`${hub.url}/temperatures`);
  await page.waitForFunction(
    () => Number(document.querySelector<HTMLElement>('.graph')?.dataset['points']) > 500,
  );
  await page.waitForFunction(isAtRest);
  const { first, last, lower } = await band();
  expect(last - first).toBeGreaterThan(20);
  expect(lower).toBeGreaterThan(20);
});

test('an alarm is noticed on every page, and known by everybody once somebody knows', async () => {
  await hub.reading('door 6.5');
  const bar = page.getByRole('alert').filter({ hasText: 'Door shelf' });
  await bar.waitFor({ timeout: 30_000 });
  await page.waitForFunction(isAtRest);
  await keepPicture(page, 'alarm-graph-desktop-light');
  await page.goto(hub.url);
  await page.locator('[data-alarm="fridge-warm"]').waitFor();
  await page.goto(`${hub.url}/system`);
  await bar.getByRole('link').click();
  const raised = page.locator('[data-alarm="fridge-warm"]');
  await raised.getByText('6.5 °C').first().waitFor();
  await page.locator('[data-rule="fridge-warm"] [data-state="RAISED"]').waitFor({ timeout: 60_000 });
  await keepPicture(page, 'alarm-desktop-light');
  await inFourForms();
  await raised.getByRole('button', { name: 'I know' }).click();
  await raised.getByText('anna knows').waitFor();
  await page.goto(`${hub.url}/system`);
  await page.getByText('ready').first().waitFor();
  await page.locator('nav .number').first().waitFor();
  expect(await bar.count()).toBe(0);
});

test('an alarm whose cause is gone is over, and stays in the history', async () => {
  await page.goto(`${hub.url}/alarms`);
  await page.locator('[data-alarm="fridge-warm"]').waitFor();
  await hub.reading('door 3.5');
  await page.locator('[data-alarm="fridge-warm"]').waitFor({ state: 'detached', timeout: 60_000 });
  await page.locator('[data-over="fridge-warm"]', { hasText: 'anna knew' }).waitFor({ timeout: 30_000 });
  await expect
    .poll(() => posted.map(({ occasion }) => occasion), { timeout: 30_000 })
    .toEqual(['test', 'raised', 'cleared']);
  await keepPicture(page, 'over-desktop-light');
});

test('a rule is changed, the change is taken back, and the rule removed', async () => {
  const rule = page.locator('[data-rule="fridge-warm"]');
  await rule.getByRole('button', { name: 'Change' }).click();
  await rule.getByLabel('Limit, °C').fill('7');
  await rule.getByRole('button', { name: 'Save' }).click();
  await rule.getByText('above 7 °C').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await rule.getByText('above 5 °C').waitFor();
  await rule.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click();
  await rule.waitFor({ state: 'detached' });
  await page.locator('[data-over="fridge-warm"]').waitFor();
  expect(errors).toEqual([]);
});

/** Rows of the graph that are tinted red at its left, and how many lie below the last of them. */
async function band(): Promise<{ first: number; last: number; lower: number }> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.graph canvas');
    const over = document.querySelector('.graph .u-over');
    const drawing = canvas?.getContext('2d');
    if (!canvas || !over || !drawing) throw new Error('there is no graph');
    const [box, frame] = [over.getBoundingClientRect(), canvas.getBoundingClientRect()];
    const ratio = canvas.width / frame.width;
    // Between two columns of the grid, where no line of it disturbs.
    const x = Math.round((box.left - frame.left + 12) * ratio);
    const height = Math.round((box.bottom - frame.top) * ratio);
    const { data } = drawing.getImageData(x, 0, 1, height);
    const tinted: number[] = [];
    for (let y = 0; y < height; y += 1) {
      const [red = 0, green = 0, blue = 0, alpha = 0] = data.slice(4 * y, 4 * y + 4);
      // Red that lets through: no line has it, and neither has the grid.
      if (alpha > 0 && alpha < 120 && red > green + 60 && red > blue + 60) tinted.push(y);
    }
    const [first = 0, last = 0] = [tinted[0], tinted.at(-1)];
    return { first, last, lower: height - last };
  });
}

async function inFourForms() {
  const cookies = await context.cookies();
  for (const { name, viewport, colorScheme } of FORMS) {
    const other = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
    await other.addCookies(cookies);
    const { page: form } = await openPage(other);
    for (const [title, path] of [
      ['alarm', '/alarms'],
      ['alarm-home', '/'],
      ['alarm-graph', '/temperatures'],
    ] as const) {
      await form.goto(`${hub.url}${path}`);
      await form.getByRole('alert').first().waitFor();
      await keepWhole(form, `${title}-${name}`);
    }
    await other.close();
  }
}
