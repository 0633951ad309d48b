// What alarm rules say of the sensors that are drawn. Pure.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Alarm, AlarmRule } from '../../gen/larder/v1/alarms_pb';
import { limitWords, onScale, type Scale } from '../../temperatures/degrees';
import type { Limit, Raised } from './marks';

/** The limits of the rules that watch these sensors, those switched off left out. */
export function limitsOf(rules: readonly AlarmRule[], sensors: ReadonlySet<string>, scale: Scale): Limit[] {
  return rules.flatMap((rule) => {
    const condition = rule.condition?.condition;
    if (rule.enabled === false || (condition?.case !== 'above' && condition?.case !== 'below')) return [];
    const { sensorId, celsius } = condition.value;
    if (!sensors.has(sensorId)) return [];
    const text = `${rule.name}: ${condition.case} ${limitWords(celsius, scale)}`;
    return [{ value: onScale(celsius, scale), side: condition.case, text }];
  });
}

/** When something was wrong with these sensors; what still is ends now. */
export function raisedOf(alarms: readonly Alarm[], sensors: ReadonlySet<string>, now: number): Raised[] {
  return alarms.flatMap((alarm) => {
    if (!alarm.raisedAt || !sensors.has(alarm.sensorId)) return [];
    return [{ from: timestampMs(alarm.raisedAt), to: alarm.clearedAt ? timestampMs(alarm.clearedAt) : now }];
  });
}
