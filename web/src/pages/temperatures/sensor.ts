// A sensor as a form holds it. Pure.

import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  TemperatureUnit,
  type CreateSensorRequestSchema,
  type Sensor,
  type SensorSource,
  type UpdateSensorRequestSchema,
} from '../../gen/larder/v1/temperatures_pb';

/** What a person fills in. */
export interface Form {
  name: string;
  title: string;
  /** The camera it belongs to, by id; empty for none. */
  camera: string;
  unit: TemperatureUnit;
  /** In degrees Celsius. */
  offset: number | null;
}

/** A sensor's settings as a form. */
export function formOf(sensor: Sensor): Form {
  return {
    name: sensor.name,
    title: sensor.title,
    camera: sensor.cameraId,
    unit: sensor.unit === TemperatureUnit.FAHRENHEIT ? sensor.unit : TemperatureUnit.CELSIUS,
    offset: sensor.offsetCelsius,
  };
}

/** A form with nothing in it but a name. */
export function emptyForm(name: string): Form {
  return { name, title: '', camera: '', unit: TemperatureUnit.CELSIUS, offset: 0 };
}

const PATHS: Record<keyof Form, string> = {
  name: 'name',
  title: 'title',
  camera: 'camera_id',
  unit: 'unit',
  offset: 'offset_celsius',
};

/** The change from one form to another; null when none differs. */
export function changeOf(
  id: string,
  before: Form,
  after: Form,
): MessageInitShape<typeof UpdateSensorRequestSchema> | null {
  const paths = (Object.keys(PATHS) as (keyof Form)[])
    .filter((field) => before[field] !== after[field])
    .map((field) => PATHS[field]);
  return paths.length > 0 ? { updateMask: { paths }, sensor: { id, ...fields(after) } } : null;
}

/** A new sensor. */
export function creation(
  form: Form,
  source: MessageInitShape<typeof CreateSensorRequestSchema>['sensor'],
): MessageInitShape<typeof CreateSensorRequestSchema> {
  return { sensor: { ...source, ...fields(form) } };
}

function fields({ name, title, camera, unit, offset }: Form) {
  return { name, title, cameraId: camera, unit, offsetCelsius: offset ?? 0 };
}

/** Where readings come from, in words. */
export function sourceWords(source: SensorSource | undefined, cameraTitle: (id: string) => string): string {
  if (source?.source.case === 'probe') {
    const { cameraId, index } = source.source.value;
    return `Probe ${index + 1} of ${cameraTitle(cameraId)}`;
  }
  if (source?.source.case === 'text') {
    return `“${source.source.value.device}” from ${source.source.value.address}`;
  }
  return 'Not told';
}

/** What tells one source from another. */
export function sourceKey(source: SensorSource | undefined): string {
  if (source?.source.case === 'probe') return `${source.source.value.cameraId}/${source.source.value.index}`;
  if (source?.source.case === 'text') return `${source.source.value.address}/${source.source.value.device}`;
  return '';
}
