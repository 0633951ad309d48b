import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { AlarmRuleSchema, AlarmSchema } from '../../gen/larder/v1/alarms_pb';
import { limitsOf, raisedOf } from './limits';

const rule = (name: string, side: 'above' | 'below', celsius: number, enabled?: boolean) =>
  create(AlarmRuleSchema, {
    name,
    ...(enabled === undefined ? {} : { enabled }),
    condition: { condition: { case: side, value: { sensorId: 'top', celsius } } },
  });

test('a rule with a limit is a band on its side, on the scale that is read', () => {
  const rules = [rule('warm', 'above', 5), rule('cold', 'below', -0.5), rule('off', 'above', 9, false)];
  expect(limitsOf(rules, new Set(['top']), 'celsius')).toEqual([
    { value: 5, side: 'above', text: 'warm: above 5 °C' },
    { value: -0.5, side: 'below', text: 'cold: below −0.5 °C' },
  ]);
  expect(limitsOf(rules, new Set(['top']), 'fahrenheit')[0]?.value).toBe(41);
  expect(limitsOf(rules, new Set(['other']), 'celsius')).toEqual([]);
});

test('an alarm that goes on ends now', () => {
  const alarms = [
    create(AlarmSchema, { sensorId: 'top', raisedAt: timestampFromMs(10), clearedAt: timestampFromMs(20) }),
    create(AlarmSchema, { sensorId: 'top', raisedAt: timestampFromMs(30) }),
    create(AlarmSchema, { sensorId: 'other', raisedAt: timestampFromMs(30) }),
  ];
  expect(raisedOf(alarms, new Set(['top']), 99)).toEqual([
    { from: 10, to: 20 },
    { from: 30, to: 99 },
  ]);
});
