// What is drawn around the lines: the limits of alarm rules as bands, and the times at which alarms were raised.

import type uPlot from 'uplot';
import type { Looks } from './looks';

/** A limit of a rule, on the scale that is shown. */
export interface Limit {
  value: number;
  /** On which side of it the alarm lies. */
  side: 'above' | 'below';
  text: string;
}

/** A time during which something was wrong. */
export interface Raised {
  from: number;
  to: number;
}

/** Draws the bands behind everything. */
export function drawLimits(u: uPlot, limits: readonly Limit[], looks: Looks) {
  const { ctx, bbox } = u;
  ctx.save();
  clip(u);
  const ratio = devicePixelRatio;
  ctx.font = looks.font.replace(/^[\d.]+px/, `${12 * ratio}px`);
  ctx.textAlign = 'right';
  for (const { value, side, text } of limits) {
    const y = u.valToPos(value, 'y', true);
    const end = side === 'above' ? bbox.top : bbox.top + bbox.height;
    ctx.fillStyle = looks.alarmFaint;
    ctx.fillRect(bbox.left, Math.min(y, end), bbox.width, Math.abs(end - y));
    ctx.strokeStyle = looks.alarm;
    ctx.lineWidth = 1.25 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillStyle = looks.alarm;
    ctx.textBaseline = side === 'above' ? 'bottom' : 'top';
    ctx.fillText(text, bbox.left + bbox.width - 8 * ratio, y + (side === 'above' ? -4 : 4) * ratio);
  }
  ctx.restore();
}

/** Draws a bar with a diamond at its begin for each alarm, at the upper edge. */
export function drawRaised(u: uPlot, raised: readonly Raised[], looks: Looks) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  clip(u);
  ctx.fillStyle = looks.alarm;
  for (const { from, to } of raised) {
    const left = u.valToPos(from, 'x', true);
    const right = Math.max(left + 2 * ratio, u.valToPos(to, 'x', true));
    ctx.fillRect(left, bbox.top, right - left, 3 * ratio);
    const [size, y] = [5 * ratio, bbox.top + 6 * ratio];
    ctx.beginPath();
    ctx.moveTo(left, y - size);
    ctx.lineTo(left + size, y);
    ctx.lineTo(left, y + size);
    ctx.lineTo(left - size, y);
    ctx.fill();
  }
  ctx.restore();
}

function clip({ ctx, bbox }: uPlot) {
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
}
