// Thermometers from the first datagram to the graph, on the real hub.

import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { enter, FORMS, isAtRest, keepPicture, keepWhole, openPage, startBrowser } from './browser';
import { startHub, type Hub } from './hub';
import { pastOf, SILENT } from './past';

const HOUR = 3_600_000;

let hub: Hub;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let errors: string[];

beforeAll(async () => {
  hub = await startHub();
  browser = await startBrowser();
  context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: 'dark',
    timezoneId: 'Europe/Berlin',
  });
  ({ page, errors } = await openPage(context));
  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await enter(page, hub.url, code);
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await keepPicture(page, 'failed-temperatures');
});

afterAll(async () => {
  await browser?.close();
  await hub?.stop();
});

test('a hub without thermometers says what to do', async () => {
  await page.goto(`${hub.url}/temperatures`);
  await page.getByRole('heading', { name: 'No thermometer yet' }).waitFor();
  await keepPicture(page, 'no-thermometer-desktop-dark');
});

test('what was heard is adopted, and nothing else is kept', async () => {
  await hub.simulate('fridge');
  await hub.reading('kitchen/door 6.5');
  await page.goto(`${hub.url}/temperatures/sensors`);
  const probe = page.locator('[data-heard]', { hasText: 'Probe 1 of fridge' });
  const door = page.locator('[data-heard]', { hasText: 'kitchen/door' });
  await probe.waitFor({ timeout: 90_000 });
  await door.getByText('6.5 °C').waitFor();
  await keepPicture(page, 'discovered-desktop-dark');

  await probe.getByRole('button', { name: 'Adopt' }).click();
  await probe.getByLabel('Name').fill('top');
  await probe.getByLabel('Title').fill('Top shelf');
  await keepPicture(page, 'adopting-desktop-dark');
  await probe.getByRole('button', { name: 'Keep its readings' }).click();
  await page.locator('[data-sensor="top"] [data-state="Reading"]').waitFor({ timeout: 60_000 });
  await door.getByRole('button', { name: 'Adopt' }).click();
  await door.getByLabel('Name').fill('door');
  await door.getByLabel('Title').fill('Door shelf');
  await door.getByLabel('Camera').selectOption({ label: 'fridge' });
  await door.getByRole('button', { name: 'Keep its readings' }).click();
  await page.locator('[data-sensor="door"] [data-state="Nothing yet"]').waitFor();
});

test('a sensor is changed, and the change taken back', async () => {
  const door = page.locator('[data-sensor="door"]');
  await door.getByRole('button', { name: 'Change' }).click();
  await door.getByLabel('Correction').fill('-0.5');
  await door.getByRole('button', { name: 'Save' }).click();
  await door.getByText('corrected by −0.5 °C').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await door.getByText('corrected by').waitFor({ state: 'detached' });
});

test('a reading shows by itself, as soon as it is there', async () => {
  await page.goto(`${hub.url}/temperatures`);
  await page.locator('[data-value="door"]').waitFor();
  await hub.reading('kitchen/door 6.5');
  await page.locator('[data-value="door"]', { hasText: '6.5 °C' }).waitFor({ timeout: 10_000 });
});

test('the graph shows a day, and its gap as a gap', async () => {
  await hub.past(pastOf('top', 3.2, 1.4));
  await hub.past(pastOf('door', 5.1, 1.8));
  await page.goto(`${hub.url}/temperatures`);
  await page.waitForFunction(
    () => Number(document.querySelector<HTMLElement>('.graph')?.dataset['points']) > 1000,
  );
  await page.waitForFunction(isAtRest);
  await keepPicture(page, 'graph-desktop-dark');

  const now = Date.now();
  const inked = (seconds: number) => ink(now - seconds * 1000);
  expect(await inked((SILENT.from + SILENT.to) / 2)).toBe(0);
  expect(await inked(SILENT.to + 1200)).toBe(0);
  expect(await inked(SILENT.from + 3600)).toBeGreaterThan(2);
  expect(await inked(SILENT.to - 3600)).toBeGreaterThan(2);
});

test('the cursor tells the values of its moment, and that there are none in the gap', async () => {
  const over = await page.locator('.u-over').boundingBox();
  if (!over) throw new Error('there is no graph');
  const { from, to } = await shown();
  const left = (at: number) => over.x + ((at - from) / (to - from)) * over.width;
  await page.mouse.move(left(Date.now() - 2 * HOUR), over.y + 50);
  await page.locator('aside [data-value="top"]', { hasText: /^\d\.\d °C$/ }).waitFor();
  const told = await page.locator('aside .when').textContent();
  expect(told).toMatch(/^\w{3} \d+ \w+ \d{4}, \d\d:\d\d:\d\d (CET|CEST|GMT\+[12])$/);
  await page.mouse.move(left(Date.now() - ((SILENT.from + SILENT.to) / 2) * 1000), over.y + 50);
  await page.locator('aside [data-value="top"]', { hasText: '–' }).waitFor();
  await page.getByText('no reading').first().waitFor();
  await page.mouse.move(2, 2);
});

test('a stretch that is drawn is looked at, and Escape leads back', async () => {
  const before = await shown();
  const over = await page.locator('.u-over').boundingBox();
  if (!over) throw new Error('there is no graph');
  await page.mouse.move(over.x + over.width * 0.25, over.y + 100);
  await page.mouse.down();
  await page.mouse.move(over.x + over.width * 0.5, over.y + 120, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction((length) => {
    const { from, to } = document.querySelector<HTMLElement>('.graph')?.dataset ?? {};
    return Number(to) - Number(from) < length * 0.3;
  }, before.to - before.from);
  const near = await shown();
  const length = before.to - before.from;
  expect(near.from).toBeGreaterThan(before.from + length * 0.24);
  expect(near.to).toBeLessThan(before.from + length * 0.51);
  await page.waitForFunction(() => location.hash.includes('/'));
  await keepPicture(page, 'zoomed-desktop-dark');
  // The address leads to the same.
  await page.reload();
  await page.locator('.graph').waitFor();
  const again = await shown();
  expect(Math.abs(again.from - near.from)).toBeLessThan(1000);

  await page.locator('.graph').focus();
  await page.keyboard.press('-');
  await page.waitForFunction((wide) => {
    const { from, to } = document.querySelector<HTMLElement>('.graph')?.dataset ?? {};
    return Number(to) - Number(from) > wide * 1.9;
  }, near.to - near.from);
  await page.keyboard.press('Escape');
  await page.waitForFunction(
    (from) => Math.abs(Number(document.querySelector<HTMLElement>('.graph')?.dataset['from']) - from) < 1000,
    again.from,
  );
});

test('keys alone move the graph and its cursor', async () => {
  // A resting mouse would have a cursor of its own.
  await page.mouse.move(2, 2);
  await page.locator('.graph').focus();
  const before = await shown();
  await page.keyboard.press('Shift+ArrowLeft');
  await page.waitForFunction(
    (from) => Number(document.querySelector<HTMLElement>('.graph')?.dataset['from']) < from,
    before.from,
  );
  // There is nothing to point at before readings are there.
  await page.locator('.graph[aria-busy="false"]').waitFor();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  const words = await page.locator('.graph').getAttribute('aria-valuetext');
  expect(words).toMatch(/Top shelf −?\d+\.\d °C/);
});

test('wheel and fingers zoom and move', async () => {
  await page.getByText('Day', { exact: true }).click();
  await page.waitForFunction(() => location.hash === '#day');
  const over = await page.locator('.u-over').boundingBox();
  if (!over) throw new Error('there is no graph');
  const before = await shown();
  await page.mouse.move(over.x + over.width / 2, over.y + 100);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -240);
  await page.keyboard.up('Control');
  await page.waitForFunction((length) => {
    const { from, to } = document.querySelector<HTMLElement>('.graph')?.dataset ?? {};
    return Number(to) - Number(from) < length * 0.7;
  }, before.to - before.from);
  const near = await shown();
  await page.mouse.wheel(-200, 0);
  await page.waitForFunction(
    (from) => Number(document.querySelector<HTMLElement>('.graph')?.dataset['from']) < from,
    near.from,
  );
  await pinch();
  await page.waitForFunction((length) => {
    const { from, to } = document.querySelector<HTMLElement>('.graph')?.dataset ?? {};
    return Number(to) - Number(from) < length * 0.7;
  }, near.to - near.from);
});

test('every range has its readings, up to years', async () => {
  for (const range of ['Hour', 'Week', 'Month', 'Year', 'All']) {
    await page.getByText(range, { exact: true }).click();
    await page.waitForFunction((hash) => location.hash === hash, `#${range.toLowerCase()}`);
    await page.waitForFunction(isAtRest);
    await page.waitForFunction(
      () => Number(document.querySelector<HTMLElement>('.graph')?.dataset['points']) > 40,
    );
    await keepPicture(page, `${range.toLowerCase()}-desktop-dark`);
  }
});

test('Fahrenheit is kept as the choice of this browser', async () => {
  await page.getByText('°F', { exact: true }).click();
  await page.locator('[data-value="door"]', { hasText: '°F' }).waitFor();
  await page.reload();
  await page.locator('[data-value="door"]', { hasText: '43.7 °F' }).waitFor();
  await page.getByText('°C', { exact: true }).click();
  await page.locator('[data-value="door"]', { hasText: '6.5 °C' }).waitFor();
});

test('what is shown is kept as a table, as CSV and as a picture', async () => {
  await page.goto(`${hub.url}/temperatures#hour`);
  await page.getByText('The figures as a table').click();
  await page.locator('table tbody tr').nth(10).waitFor();
  const saved = async (button: string) => {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: button }).click();
    const file = await download;
    return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
  };
  const csv = await saved('CSV');
  const lines = csv.bytes.toString().trim().split('\n');
  expect(csv.name).toMatch(/^temperatures-\d{4}-\d\d-\d\dT\d{6}Z\.csv$/);
  expect(lines[0]).toBe('time,sensor,celsius,fahrenheit');
  expect(lines.length).toBeGreaterThan(200);
  expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z,(top|door),-?\d+\.\d{3},-?\d+\.\d{2}$/);
  const png = await saved('PNG');
  expect(png.bytes.subarray(1, 4).toString()).toBe('PNG');
  expect(png.bytes.length).toBeGreaterThan(10_000);
});

test('the picture of the moment is shown beside the graph, and the player tells the temperature', async () => {
  await recorded();
  await page.goto(hub.url);
  await page.goto(`${hub.url}/temperatures#hour`);
  await page.locator('.u-over').waitFor();
  await page.waitForFunction(isAtRest);
  const over = await page.locator('.u-over').boundingBox();
  if (!over) throw new Error('there is no graph');
  const { from, to } = await shown();
  const at = Date.now() - 12_000;
  await page.mouse.move(over.x + ((at - from) / (to - from)) * over.width, over.y + 60);
  const link = page.getByRole('link', { name: /Play from/ });
  await link.waitFor({ timeout: 30_000 });
  await page.waitForFunction(() => (document.querySelector('video')?.readyState ?? 0) >= 2);
  await page.waitForFunction(isAtRest);
  await keepPicture(page, 'frame-desktop-dark');
  await link.focus();
  await page.keyboard.press('Enter');
  await page.locator('time[data-state="ready"]').waitFor({ timeout: 60_000 });
  await page.locator('[data-played="top"]', { hasText: '°C' }).waitFor({ timeout: 60_000 });
  await keepPicture(page, 'played-desktop-dark');
});

test('home and the camera tell the newest value and the day', async () => {
  for (const path of ['/', '/cameras/fridge']) {
    await page.goto(hub.url + path);
    await page.locator('[data-temperature="door"]', { hasText: '6.5 °C' }).waitFor();
    await page.waitForFunction(
      () => (document.querySelector('[data-temperature="top"] path')?.getAttribute('d')?.length ?? 0) > 200,
    );
  }
  expect(errors).toEqual([]);
});

test('each page stands in four forms and on the narrowest screen', async () => {
  const cookies = await context.cookies();
  const narrow = {
    name: 'narrow-light',
    viewport: { width: 320, height: 640 },
    colorScheme: 'light',
  } as const;
  for (const { name, viewport, colorScheme } of [...FORMS, narrow]) {
    const other = await browser.newContext({ viewport, colorScheme, timezoneId: 'Europe/Berlin' });
    await other.addCookies(cookies);
    const { page: form, errors: wrong } = await openPage(other);
    for (const [title, path, sign] of PAGES) {
      await form.goto(`${hub.url}${path}`);
      await form.locator(sign).first().waitFor();
      await keepWhole(form, `${title}-${name}`);
    }
    expect(wrong).toEqual([]);
    await other.close();
  }
});

test('on a phone the rarer places are one touch further away', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(hub.url);
  await page.getByRole('button', { name: 'More' }).click();
  await keepPicture(page, 'more-phone-dark');
  await page.getByRole('link', { name: 'Alarms' }).click();
  await page.getByRole('heading', { name: 'Alarms', level: 1 }).waitFor();
  await page.getByRole('link', { name: 'System' }).waitFor({ state: 'hidden' });
});

const PAGES = [
  ['temperatures', '/temperatures', '[data-value="door"]'],
  ['sensors', '/temperatures/sensors', '[data-sensor="door"]'],
  ['alarms', '/alarms', 'h1'],
  ['home-temperatures', '/', '[data-temperature="top"]'],
  ['camera-temperatures', '/cameras/fridge', '[data-temperature="top"]'],
] as const;

/** The stretch of time that the graph shows. */
async function shown(): Promise<{ from: number; to: number }> {
  return page.locator('.graph').evaluate(({ dataset }) => ({
    from: Number(dataset['from']),
    to: Number(dataset['to']),
  }));
}

/** How many pixels of lines stand above each other at a moment: those that are much bluer or greener than grey. */
async function ink(at: number): Promise<number> {
  return page.evaluate((moment) => {
    const graph = document.querySelector<HTMLElement>('.graph');
    const canvas = graph?.querySelector('canvas');
    const over = graph?.querySelector('.u-over');
    const drawing = canvas?.getContext('2d');
    if (!graph || !canvas || !over || !drawing) throw new Error('there is no graph');
    const [from, to] = [Number(graph.dataset['from']), Number(graph.dataset['to'])];
    const [box, frame] = [over.getBoundingClientRect(), canvas.getBoundingClientRect()];
    const ratio = canvas.width / frame.width;
    const x = Math.round((box.left - frame.left + ((moment - from) / (to - from)) * box.width) * ratio);
    const { data } = drawing.getImageData(x, 0, 1, Math.round((box.bottom - frame.top) * ratio));
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [red = 0, green = 0, blue = 0, alpha = 0] = data.slice(i, i + 4);
      if (alpha > 100 && Math.max(green, blue) - red > 60) count += 1;
    }
    return count;
  }, at);
}

/** Two fingers that part in the middle of the graph. */
async function pinch() {
  await page.locator('.u-over').evaluate((over) => {
    const { left, width, top } = over.getBoundingClientRect();
    const touch = (type: string, pointerId: number, place: number) =>
      over.dispatchEvent(
        new PointerEvent(type, {
          pointerId,
          pointerType: 'touch',
          clientX: left + width * place,
          clientY: top + 60,
          bubbles: true,
        }),
      );
    touch('pointerdown', 11, 0.45);
    touch('pointerdown', 12, 0.55);
    for (let i = 1; i <= 5; i += 1) {
      touch('pointermove', 11, 0.45 - i * 0.02);
      touch('pointermove', 12, 0.55 + i * 0.02);
    }
    touch('pointerup', 11, 0.35);
    touch('pointerup', 12, 0.65);
  });
}

/** Waits until a quarter of a minute is recorded. */
async function recorded() {
  const deadline = Date.now() + 90_000;
  while (Date.now() < deadline) {
    const answer = await context.request.get(`${hub.url}/hls/fridge/live.m3u8`);
    if (answer.ok() && ((await answer.text()).match(/#EXTINF/g) ?? []).length >= 8) return;
    await page.waitForTimeout(500);
  }
  throw new Error('nothing was recorded in 90 s');
}
