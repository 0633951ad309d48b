import { expect, test } from 'vitest';
import { TemperatureUnit } from '../gen/larder/v1/temperatures_pb';
import {
  degrees,
  differenceOn,
  differenceToCelsius,
  limitWords,
  onScale,
  scaleOf,
  toCelsius,
} from './degrees';

test('a temperature is read on the scale that is wanted', () => {
  expect(degrees(4.25, 'celsius')).toBe('4.3 °C');
  expect(degrees(-18, 'celsius')).toBe('−18.0 °C');
  expect(degrees(-18, 'fahrenheit')).toBe('−0.4 °F');
  expect(degrees(5, 'fahrenheit', 0)).toBe('41 °F');
  expect(degrees(undefined, 'celsius')).toBe('–');
});

test('nothing is minus zero', () => {
  expect(degrees(-0.04, 'celsius')).toBe('0.0 °C');
});

test('there and back again gives the same, for values and for differences', () => {
  for (const celsius of [-40, -17.5, 0, 4.25, 100]) {
    expect(toCelsius(onScale(celsius, 'fahrenheit'), 'fahrenheit')).toBeCloseTo(celsius, 9);
    expect(differenceToCelsius(differenceOn(celsius, 'fahrenheit'), 'fahrenheit')).toBeCloseTo(celsius, 9);
  }
  expect(differenceOn(5, 'fahrenheit')).toBe(9);
});

test('a limit has no decimals that say nothing', () => {
  expect(limitWords(5, 'celsius')).toBe('5 °C');
  expect(limitWords(-17.5, 'celsius')).toBe('−17.5 °C');
  expect(limitWords(5, 'fahrenheit')).toBe('41 °F');
});

test('who said nothing reads Celsius', () => {
  expect(scaleOf(undefined)).toBe('celsius');
  expect(scaleOf(TemperatureUnit.UNSPECIFIED)).toBe('celsius');
  expect(scaleOf(TemperatureUnit.FAHRENHEIT)).toBe('fahrenheit');
});
