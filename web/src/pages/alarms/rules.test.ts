import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { AlarmConditionSchema, AlarmRuleSchema } from '../../gen/larder/v1/alarms_pb';
import { about, conditionWords, emptyForm, formOf, KINDS, ruleOf, withCondition, type Form } from './rules';

const HOUR = 3_600_000;
const nameOf = (id: string) => ({ s: 'Top shelf', c: 'Fridge' })[id] ?? id;

function filled(form: Partial<Form>): Form {
  return { ...emptyForm('celsius'), name: 'warm', sensor: 's', camera: 'c', ...form };
}

test('every kind goes to the hub and comes back as it was', () => {
  for (const { value: kind } of KINDS) {
    const form = filled({
      kind,
      for: 600,
      hold: 120,
      repeat: 3600,
      channels: ['x'],
      // What a kind does not have, it does not keep.
      sensor: about(kind) === 'sensor' ? 's' : '',
      camera: about(kind) === 'camera' ? 'c' : '',
    });
    const back = formOf(create(AlarmRuleSchema, ruleOf(form, 'celsius')), 'celsius');
    expect(back, kind).toEqual(form);
  }
});

test('limits are kept in Celsius whatever scale they were written on', () => {
  const rule = create(AlarmRuleSchema, ruleOf(filled({ limit: 41, hysteresis: 0.9 }), 'fahrenheit'));
  const condition = rule.condition?.condition;
  if (condition?.case !== 'above') throw new Error('it is no limit');
  expect(condition.value.celsius).toBeCloseTo(5, 9);
  expect(condition.value.hysteresisCelsius).toBeCloseTo(0.5, 9);
  const back = formOf(rule, 'fahrenheit');
  expect([back.limit, back.hysteresis]).toEqual([41, 0.9]);
});

test('a rule that is never repeated has no repetition', () => {
  expect(ruleOf(filled({ repeat: 0 }), 'celsius').repeat).toBeUndefined();
});

test('a preset fills its limit and leaves the sensor that was chosen', () => {
  const preset = create(AlarmConditionSchema, {
    condition: { case: 'above', value: { celsius: -15, for: durationFromMs(HOUR) } },
  });
  expect(withCondition(filled({ kind: 'rate' }), preset, 'celsius')).toMatchObject({
    kind: 'above',
    sensor: 's',
    limit: -15,
    for: 3600,
    hysteresis: 0.5,
  });
});

test('a condition is told in a few words', () => {
  const words = (form: Partial<Form>, scale: 'celsius' | 'fahrenheit' = 'celsius') =>
    conditionWords(create(AlarmRuleSchema, ruleOf(filled(form), scale)).condition, nameOf, scale);
  expect(words({ for: 7200 })).toBe('Top shelf above 5 °C for 2 h');
  expect(words({ kind: 'below', limit: 28, for: 0 }, 'fahrenheit')).toBe('Top shelf below 28 °F');
  expect(words({ kind: 'rate', change: -3, for: 600 })).toBe('Top shelf falls by 3 °C within 10 min');
  expect(words({ kind: 'cameraOffline', for: 120 })).toBe('Fridge offline for 2 min');
  expect(words({ kind: 'diskFloor', for: 0 })).toBe("The recordings' disk is below its floor");
});
