// Temperatures as people read them. Kept in Celsius everywhere; only what is shown is converted. Pure.

import { TemperatureUnit } from '../gen/larder/v1/temperatures_pb';

/** A scale to read temperatures on. */
export type Scale = 'celsius' | 'fahrenheit';

/** The sign of a scale. */
export const SIGN: Record<Scale, string> = { celsius: '°C', fahrenheit: '°F' };

/** The scale that a sensor's unit names. */
export function scaleOf(unit: TemperatureUnit | undefined): Scale {
  return unit === TemperatureUnit.FAHRENHEIT ? 'fahrenheit' : 'celsius';
}

/** The figure on a scale. */
export function onScale(celsius: number, scale: Scale): number {
  return scale === 'fahrenheit' ? celsius * 1.8 + 32 : celsius;
}

/** A figure on a scale, in Celsius. */
export function toCelsius(figure: number, scale: Scale): number {
  return scale === 'fahrenheit' ? (figure - 32) / 1.8 : figure;
}

/** A difference on a scale: it has no zero of its own. */
export function differenceOn(celsius: number, scale: Scale): number {
  return scale === 'fahrenheit' ? celsius * 1.8 : celsius;
}

/** A difference on a scale, in Celsius. */
export function differenceToCelsius(figure: number, scale: Scale): number {
  return scale === 'fahrenheit' ? figure / 1.8 : figure;
}

/** A figure with a proper minus, and never a minus zero. */
export function figure(value: number, digits = 1): string {
  const text = value.toFixed(digits);
  if (!text.startsWith('-')) return text;
  return Number(text) === 0 ? text.slice(1) : `−${text.slice(1)}`;
}

/** `4.3 °C`; a dash where there is none. */
export function degrees(celsius: number | null | undefined, scale: Scale, digits = 1): string {
  if (celsius === null || celsius === undefined) return '–';
  return `${figure(onScale(celsius, scale), digits)} ${SIGN[scale]}`;
}

/** `0.5 °C` of a difference. */
export function differenceWords(celsius: number, scale: Scale): string {
  const value = differenceOn(celsius, scale);
  return `${figure(value, Number.isInteger(value) ? 0 : 1)} ${SIGN[scale]}`;
}

/** A limit without needless decimals: `5 °C`, `-17.5 °C`. */
export function limitWords(celsius: number, scale: Scale): string {
  const value = Math.round(onScale(celsius, scale) * 10) / 10;
  return `${figure(value, Number.isInteger(value) ? 0 : 1)} ${SIGN[scale]}`;
}
