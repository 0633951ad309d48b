import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { SensorSchema, SensorSourceSchema, TemperatureUnit } from '../../gen/larder/v1/temperatures_pb';
import { changeOf, emptyForm, formOf, sourceKey, sourceWords } from './sensor';

const sensor = create(SensorSchema, { id: '1', name: 'top', title: 'Top shelf', offsetCelsius: 0.5 });

test('only what was changed is sent', () => {
  const form = formOf(sensor);
  expect(changeOf('1', form, form)).toBeNull();
  expect(changeOf('1', form, { ...form, offset: -0.25, unit: TemperatureUnit.FAHRENHEIT })).toMatchObject({
    updateMask: { paths: ['unit', 'offset_celsius'] },
    sensor: { id: '1', offsetCelsius: -0.25, unit: TemperatureUnit.FAHRENHEIT, title: 'Top shelf' },
  });
});

test('an offset that is cleared is none', () => {
  expect(changeOf('1', formOf(sensor), { ...formOf(sensor), offset: null })?.sensor?.offsetCelsius).toBe(0);
  expect(emptyForm('fridge').offset).toBe(0);
});

test('a source is told in words and by a key of its own', () => {
  const probe = create(SensorSourceSchema, {
    source: { case: 'probe', value: { cameraId: 'c', index: 0 } },
  });
  const text = create(SensorSourceSchema, {
    source: { case: 'text', value: { address: '10.0.0.9', device: 'cam_one_temp' } },
  });
  expect(sourceWords(probe, () => 'Fridge')).toBe('Probe 1 of Fridge');
  expect(sourceWords(text, () => '')).toBe('“cam_one_temp” from 10.0.0.9');
  expect(sourceKey(probe)).not.toBe(sourceKey(text));
});
