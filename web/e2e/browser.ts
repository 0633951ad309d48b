import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { expect } from 'vitest';

/** The four forms every page is looked at in. */
export const FORMS = [
  { name: 'desktop-dark', viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
  { name: 'desktop-light', viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
  { name: 'phone-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { name: 'phone-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
] as const;

const artifacts = join(import.meta.dirname, 'artifacts');

/** Starts Debian's Chromium; CHROMIUM names another. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Opens a page and notes what went wrong in it, refused by the content security policy included. */
export async function openPage(context: BrowserContext): Promise<{ page: Page; errors: string[] }> {
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return { page, errors };
}

/** Keeps a picture of the page. */
export async function keepPicture(page: Page, name: string) {
  await mkdir(artifacts, { recursive: true });
  await page.screenshot({ path: join(artifacts, `${name}.png`) });
}

/** Keeps a picture of what is at rest and no wider than its screen. */
export async function keepWhole(page: Page, name: string) {
  await page.waitForFunction(isAtRest);
  await keepPicture(page, name);
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(beyond, name).toBeLessThanOrEqual(0);
}

/** Shows a page in all forms, one after the other, and as it was in the end. */
export async function inEachForm(page: Page, look: (form: string) => Promise<void>) {
  const before = page.viewportSize();
  for (const { name, viewport, colorScheme } of FORMS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await look(name);
  }
  if (before) await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
}

/** Makes somebody admin by the hub's one-time link, and waits until they are in. */
export async function enter(page: Page, url: string, code: string) {
  await page.goto(`${url}/sign-in#code=${code}`);
  await page.getByLabel('Name').fill('anna');
  await page.getByLabel('Password').fill('milk-and-honey');
  await page.getByRole('button', { name: 'Make me admin' }).click();
  await page.getByRole('navigation').waitFor();
}

/** Whether fonts are there, nothing is loading, and nothing moves but what always does. Runs in the page. */
export function isAtRest(): boolean {
  const moving = document.getAnimations().filter(({ playState, effect }) => {
    return playState === 'running' && effect?.getTiming().iterations !== Infinity;
  });
  return (
    document.fonts.status === 'loaded' && !document.querySelector('[aria-busy="true"]') && moving.length === 0
  );
}
