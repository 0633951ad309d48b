import { expect, test } from 'vitest';
import { cameraPath, dayPath, parseRoute } from './routes';

test('each page has one path', () => {
  expect(parseRoute('/')).toEqual({ page: 'home' });
  expect(parseRoute('/cameras/')).toEqual({ page: 'cameras' });
  expect(parseRoute(cameraPath('fridge'))).toEqual({ page: 'camera', camera: 'fridge' });
  expect(parseRoute(dayPath('fridge', '2026-02-28'))).toEqual({
    page: 'day',
    camera: 'fridge',
    day: '2026-02-28',
  });
  expect(parseRoute('/temperatures')).toEqual({ page: 'temperatures' });
  expect(parseRoute('/temperatures/sensors')).toEqual({ page: 'sensors' });
  expect(parseRoute('/alarms')).toEqual({ page: 'alarms' });
  expect(parseRoute('/system')).toEqual({ page: 'system' });
  expect(parseRoute('/sign-in')).toEqual({ page: 'sign-in' });
});

test('a path that names nothing is unknown and never throws', () => {
  for (const path of [
    '/x',
    '/cameras/a/b',
    '/temperatures/x',
    '/recordings/fridge',
    '/recordings/fridge/2026-13-01',
    '/%E0%A4%A',
  ]) {
    expect(parseRoute(path)).toEqual({ page: 'unknown' });
  }
});
