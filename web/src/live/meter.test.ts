import { expect, test } from 'vitest';
import { Meter } from './meter';

const jpeg = { length: 20_000 };

function frames(meter: Meter, count: number, { every = 100, hubAhead = 0, way = 20 } = {}): number {
  let now = 1_000_000;
  for (let i = 0; i < count; i += 1) {
    now += every;
    const sentAt = now - way + hubAhead;
    meter.received(now, sentAt);
    meter.shown(now, { capturedAt: sentAt - 50, skipped: 0, jpeg });
  }
  return now;
}

test('the rate is that of the last seconds', () => {
  const meter = new Meter();
  const now = frames(meter, 60);
  const { fps, bytesPerSecond } = meter.figures(now);
  expect(fps).toBeCloseTo(10, 1);
  expect(bytesPerSecond).toBeCloseTo(200_000, -3);
});

test('the rate falls to nothing when no frame comes', () => {
  const meter = new Meter();
  const now = frames(meter, 60);
  expect(meter.figures(now + 1500).fps).toBeLessThan(7);
  expect(meter.figures(now + 10_000).fps).toBe(0);
});

test('a hub whose clock is an hour ahead does not spoil the age', () => {
  const meter = new Meter();
  const now = frames(meter, 20, { hubAhead: 3_600_000 });
  expect(meter.figures(now).ageMs).toBeCloseTo(50, 0);
  expect(meter.figures(now + 400).ageMs).toBeCloseTo(450, 0);
});

test('what the hub skipped and what was passed over here are counted together', () => {
  const meter = new Meter();
  meter.passedOver({ skipped: 2 });
  meter.shown(1, { capturedAt: 0, skipped: 4, jpeg });
  expect(meter.figures(1).skipped).toBe(7);
});

test('before the first frame there is no age', () => {
  expect(new Meter().figures(5)).toEqual({ fps: 0, bytesPerSecond: 0, ageMs: null, skipped: 0 });
});
