import type { Page } from 'playwright-core';

/** A picture, as JPEG in base64, and when it was taken. */
export interface Taken {
  at: number;
  jpeg: string;
}

/**
 * How much the recording differs from a picture at times around the one it was taken at, in pixels whose light is
 * clearly another. The simulated camera draws a clock into its pictures, so that a second's difference is seen.
 */
export async function likenesses(page: Page, taken: Taken, offsets: number[]): Promise<number[]> {
  const found: number[] = [];
  for (const offset of offsets) {
    found.push(await page.evaluate(difference, { taken, wall: taken.at + offset }));
  }
  return found;
}

/** Runs in the page. */
async function difference({ taken, wall }: { taken: Taken; wall: number }): Promise<number> {
  const video = document.querySelector('video');
  const clock = document.querySelector('time[data-state]');
  if (!video || !clock) throw new Error('the page plays nothing');
  const shown = Date.parse(clock.getAttribute('datetime') ?? '');
  const seeked = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
  // A little after the frame's own time, so that no rounding shows the one before.
  video.currentTime += (wall + 40 - shown) / 1000;
  await seeked;
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

  const light = (source: CanvasImageSource, width: number, height: number) => {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const drawing = canvas.getContext('2d');
    drawing?.drawImage(source, 0, 0, width, height);
    return drawing?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
  };
  const bytes = Uint8Array.from(atob(taken.jpeg), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const one = light(image, image.width, image.height);
  const other = light(video, image.width, image.height);
  let different = 0;
  for (let i = 1; i < one.length; i += 4) {
    if (Math.abs((one[i] ?? 0) - (other[i] ?? 0)) > 48) different += 1;
  }
  return different;
}
