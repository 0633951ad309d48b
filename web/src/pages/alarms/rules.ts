// An alarm rule as a form holds it, and in words. Pure.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs, durationMs, type Duration } from '@bufbuild/protobuf/wkt';
import {
  AlarmConditionSchema,
  AlarmRuleSchema,
  type AlarmCondition,
  type AlarmRule,
} from '../../gen/larder/v1/alarms_pb';
import {
  differenceOn,
  differenceToCelsius,
  differenceWords,
  limitWords,
  onScale,
  toCelsius,
  type Scale,
} from '../../temperatures/degrees';
import { span } from '../../ui/words';

/** What a rule watches. */
export type Kind = NonNullable<AlarmCondition['condition']['case']>;

export const KINDS: readonly { value: Kind; text: string }[] = [
  { value: 'above', text: 'Warmer than a limit' },
  { value: 'below', text: 'Colder than a limit' },
  { value: 'rate', text: 'Changes fast' },
  { value: 'sensorSilent', text: 'A sensor is silent' },
  { value: 'cameraOffline', text: 'A camera is offline' },
  { value: 'recordingStalled', text: 'A recording stands still' },
  { value: 'diskFloor', text: 'The disk is nearly full' },
];

/** What a person fills in; temperatures are on the scale that is read, times in seconds. */
export interface Form {
  name: string;
  kind: Kind;
  sensor: string;
  camera: string;
  limit: number | null;
  hysteresis: number | null;
  /** Of a fast change: positive rises, negative falls. */
  change: number | null;
  for: number;
  hold: number;
  /** 0 is never. */
  repeat: number;
  /** Ids; none is all. */
  channels: string[];
  enabled: boolean;
}

/** What a kind is about. */
export function about(kind: Kind): 'sensor' | 'camera' | 'disk' {
  if (kind === 'diskFloor') return 'disk';
  return kind === 'cameraOffline' || kind === 'recordingStalled' ? 'camera' : 'sensor';
}

/** A form with what is mostly wanted. */
export function emptyForm(scale: Scale): Form {
  return {
    name: '',
    kind: 'above',
    sensor: '',
    camera: '',
    limit: onScale(5, scale),
    hysteresis: differenceOn(0.5, scale),
    change: differenceOn(5, scale),
    for: 1800,
    hold: 60,
    repeat: 0,
    channels: [],
    enabled: true,
  };
}

/** A rule as a form. */
export function formOf(rule: AlarmRule, scale: Scale): Form {
  return {
    ...withCondition(emptyForm(scale), rule.condition, scale),
    name: rule.name,
    hold: rule.hold ? durationMs(rule.hold) / 1000 : 60,
    repeat: rule.repeat ? durationMs(rule.repeat) / 1000 : 0,
    channels: rule.channels,
    enabled: rule.enabled ?? true,
  };
}

/** A form that has taken over a condition, such as a preset's. */
export function withCondition(form: Form, condition: AlarmCondition | undefined, scale: Scale): Form {
  const known = condition?.condition;
  if (!known?.case) return form;
  const out = { ...form, kind: known.case };
  const seconds = (duration: Duration | undefined) => (duration ? durationMs(duration) / 1000 : 0);
  if ('sensorId' in known.value) out.sensor = known.value.sensorId || form.sensor;
  if ('cameraId' in known.value) out.camera = known.value.cameraId || form.camera;
  out.for = known.case === 'rate' ? seconds(known.value.within) : seconds(known.value.for);
  if (known.case === 'rate') out.change = tidy(differenceOn(known.value.celsius, scale));
  if (known.case === 'above' || known.case === 'below') {
    out.limit = tidy(onScale(known.value.celsius, scale));
    out.hysteresis = tidy(differenceOn(known.value.hysteresisCelsius ?? 0.5, scale));
  }
  return out;
}

/** What a form says, for the hub. */
export function ruleOf(form: Form, scale: Scale): MessageInitShape<typeof AlarmRuleSchema> {
  return {
    name: form.name,
    condition: { condition: conditionOf(form, scale) },
    enabled: form.enabled,
    hold: durationFromMs(form.hold * 1000),
    ...(form.repeat > 0 ? { repeat: durationFromMs(form.repeat * 1000) } : {}),
    channels: form.channels,
  };
}

/** All that a form can change: what is empty then is meant to be. */
export const MASK = ['name', 'condition', 'enabled', 'hold', 'repeat', 'channels'];

function conditionOf(form: Form, scale: Scale): AlarmCondition['condition'] {
  const time = { for: durationFromMs(form.for * 1000) };
  const { kind, sensor: sensorId, camera: cameraId } = form;
  const made = (condition: MessageInitShape<typeof AlarmConditionSchema>['condition']) =>
    create(AlarmConditionSchema, { condition }).condition;
  switch (kind) {
    case 'above':
    case 'below': {
      const celsius = toCelsius(form.limit ?? 0, scale);
      const hysteresisCelsius = differenceToCelsius(form.hysteresis ?? 0, scale);
      return made({ case: kind, value: { sensorId, celsius, hysteresisCelsius, ...time } });
    }
    case 'rate': {
      const celsius = differenceToCelsius(form.change ?? 0, scale);
      return made({ case: kind, value: { sensorId, celsius, within: time.for } });
    }
    case 'sensorSilent':
      return made({ case: kind, value: { sensorId, ...time } });
    case 'cameraOffline':
    case 'recordingStalled':
      return made({ case: kind, value: { cameraId, ...time } });
    case 'diskFloor':
      return made({ case: kind, value: time });
  }
}

/** When a rule raises its alarm: `Top shelf above 5 °C for 2 h`. */
export function conditionWords(
  condition: AlarmCondition | undefined,
  nameOf: (id: string) => string,
  scale: Scale,
): string {
  const known = condition?.condition;
  const time = (duration: Duration | undefined) => {
    const ms = duration ? durationMs(duration) : 0;
    return ms > 0 ? ` for ${span(ms)}` : '';
  };
  switch (known?.case) {
    case 'above':
    case 'below': {
      const { sensorId, celsius } = known.value;
      return `${nameOf(sensorId)} ${known.case} ${limitWords(celsius, scale)}${time(known.value.for)}`;
    }
    case 'rate': {
      const { sensorId, celsius, within } = known.value;
      const verb = celsius < 0 ? 'falls' : 'rises';
      const by = differenceWords(Math.abs(celsius), scale);
      return `${nameOf(sensorId)} ${verb} by ${by} within ${span(within ? durationMs(within) : 0)}`;
    }
    case 'sensorSilent':
      return `${nameOf(known.value.sensorId)} silent${time(known.value.for)}`;
    case 'cameraOffline':
      return `${nameOf(known.value.cameraId)} offline${time(known.value.for)}`;
    case 'recordingStalled':
      return `Recording of ${nameOf(known.value.cameraId)} stands still${time(known.value.for)}`;
    case 'diskFloor':
      return `The recordings' disk is below its floor${time(known.value.for)}`;
    default:
      return 'A condition that this page does not know';
  }
}

function tidy(value: number): number {
  return Math.round(value * 100) / 100;
}
