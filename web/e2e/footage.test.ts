// The database is lost: the home page finds the footage, asks, and brings cameras and recordings back.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { keepPicture, openPage, startBrowser } from './browser';
import { startHub, type Hub } from './hub';

let hub: Hub;
let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  hub = await startHub();
  browser = await startBrowser();
  const context = await browser.newContext({
    viewport: { width: 1280, height: 1000 },
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

async function recorded(): Promise<number> {
  const runs = (await hub.larderctl('recording', 'list', 'fridge')) as { fragments: number }[];
  return runs.reduce((sum, run) => sum + run.fragments, 0);
}

test('footage that outlived its database is taken over on the home page', async () => {
  await hub.simulate('fridge');
  await expect.poll(recorded, { timeout: 30_000 }).toBeGreaterThan(1);
  hub = await hub.restart((state) => rm(join(state, 'postgres'), { recursive: true }));

  const { code } = (await hub.larderctl('sign-in-link')) as { code: string };
  await page.goto(`${hub.url}/sign-in#code=${code}`);
  await page.getByLabel('Name').fill('anna');
  await page.getByLabel('Password').fill('milk-and-honey');
  await page.getByRole('button', { name: 'Make me admin' }).click();
  const asked = page
    .getByRole('alert')
    .filter({ hasText: '1 camera, 1 day of footage found: take it over?' });
  await asked.waitFor();
  expect(await asked.innerText()).toContain('fridge');
  await keepPicture(page, 'found-footage');
  await asked.getByRole('button', { name: 'Take over' }).click();
  const sure = page.getByRole('dialog');
  expect(await sure.innerText()).toContain('Nothing is deleted');
  await sure.getByRole('button', { name: 'Not now' }).click();
  await asked.getByRole('button', { name: 'Take over' }).click();
  await sure.getByRole('button', { name: 'Take over' }).click();
  await asked.waitFor({ state: 'detached' });
  await page
    .getByRole('link', { name: /fridge/ })
    .first()
    .waitFor();
  expect(await recorded()).toBeGreaterThan(1);
  expect(errors).toEqual([]);
});
