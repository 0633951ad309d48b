import type { Sensor } from '../gen/larder/v1/temperatures_pb';
import { scaleOf, type Scale } from './degrees';

const KEY = 'larder.scale';

/** The scale this browser's person chose; until then each sensor has its own. */
class ChosenScale {
  choice = $state<Scale | null>(read());

  choose(scale: Scale) {
    this.choice = scale;
    try {
      localStorage.setItem(KEY, scale);
    } catch {
      // Storage may be off; the choice then lasts until the page is left.
    }
  }

  /** The scale to show a sensor on. */
  of(sensor: Sensor | undefined): Scale {
    return this.choice ?? scaleOf(sensor?.unit);
  }
}

function read(): Scale | null {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'celsius' || stored === 'fahrenheit' ? stored : null;
  } catch {
    return null;
  }
}

export const scales = new ChosenScale();
