// A graph as files: its readings as CSV, and its picture.

import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { temperatures as service } from '../../api/client';
import type { Sensor } from '../../gen/larder/v1/temperatures_pb';
import { HEADER, row } from '../../temperatures/csv';
import type { View } from '../../temperatures/view';
import type { Chart } from './chart';
import { dashOf } from './looks';

/** All readings of a stretch of time, as the hub keeps them. Tells how many it has so far. */
export async function csvOf(
  sensors: readonly Sensor[],
  { from, to }: View,
  onprogress: (readings: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const names = new Map(sensors.map(({ id, name }) => [id, name]));
  const parts = [HEADER];
  let count = 0;
  const range = { from: timestampFromMs(from), to: timestampFromMs(to) };
  const request = { sensors: sensors.map(({ id }) => id), range };
  for await (const { readings } of service.exportReadings(request, { signal })) {
    parts.push(readings.map((reading) => row(reading, (id) => names.get(id) ?? id)).join(''));
    count += readings.length;
    onprogress(count);
  }
  return new Blob(parts, { type: 'text/csv;charset=utf-8' });
}

/** A name beside a piece of its line. */
export interface Entry {
  title: string;
  place: number;
}

/** The graph as it is seen, with its title and the names of its lines. */
export function pngOf(chart: Chart, title: string, entries: readonly Entry[]): Promise<Blob | null> {
  const { canvas, colours } = chart;
  const ratio = devicePixelRatio;
  const [margin, head] = [20 * ratio, 64 * ratio];
  const out = document.createElement('canvas');
  out.width = canvas.width + 2 * margin;
  out.height = canvas.height + head + margin;
  const ctx = out.getContext('2d');
  if (!ctx) return Promise.resolve(null);
  const font = (size: number, weight: number) =>
    `${weight} ${colours.font.replace(/^[\d.]+px/, `${size * ratio}px`)}`;
  ctx.fillStyle = colours.page;
  ctx.fillRect(0, 0, out.width, out.height);
  ctx.textBaseline = 'alphabetic';
  ctx.fillStyle = colours.text;
  ctx.font = font(17, 600);
  ctx.fillText(title, margin, 28 * ratio, canvas.width);
  ctx.font = font(13, 400);
  let left = margin;
  for (const { title: name, place } of entries) {
    const stroke = colours.lines[place % colours.lines.length] ?? colours.text;
    ctx.strokeStyle = stroke;
    ctx.lineWidth = 2 * ratio;
    ctx.setLineDash(dashOf(place).map((length) => length * ratio));
    ctx.beginPath();
    ctx.moveTo(left, 46 * ratio);
    ctx.lineTo(left + 24 * ratio, 46 * ratio);
    ctx.stroke();
    ctx.fillStyle = colours.soft;
    ctx.fillText(name, left + 32 * ratio, 50 * ratio);
    left += ctx.measureText(name).width + 56 * ratio;
  }
  ctx.drawImage(canvas, margin, head);
  return new Promise((resolve) => out.toBlob(resolve, 'image/png'));
}

/** Gives a file to the browser to keep. */
export function save(file: Blob, name: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** `temperatures-2026-11-22T130000Z.csv`: no character that a file system refuses. */
export function fileName({ to }: View, extension: string): string {
  const at = new Date(to).toISOString().slice(0, 19).replaceAll(':', '');
  return `temperatures-${at}Z.${extension}`;
}
