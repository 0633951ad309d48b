// The graph itself: uPlot with our axes, bands and marks. It knows nothing of the hub or of the page around it.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { figures, marks } from '../../temperatures/axis';
import { figure, onScale, SIGN, type Scale } from '../../temperatures/degrees';
import { aligned, lonely, reach, type Line } from '../../temperatures/lines';
import type { View } from '../../temperatures/view';
import { dashOf, faint, LINE_COLOURS, looks, type Looks } from './looks';
import { drawLimits, drawRaised, type Limit, type Raised } from './marks';

/** A line and its place among all sensors, which gives it its colour and dash. */
export interface Drawn {
  line: Line;
  place: number;
}

/** All that a graph shows. */
export interface Shown {
  drawn: readonly Drawn[];
  view: View;
  scale: Scale;
  limits: readonly Limit[];
  raised: readonly Raised[];
}

/** What a person does with it. */
export interface Deeds {
  /** Drew a stretch with the mouse. */
  onselect: (from: number, to: number) => void;
  /**
   * Points at a moment, in whole milliseconds, or no longer at any. The mouse moved, or it rests and the graph moved
   * below it.
   */
  onpoint: (at: number | null, moved: boolean) => void;
}

/** A mark of the time axis every so many CSS pixels, and of the other. */
const ACROSS = 84;
const DOWN = 44;
/** Half a letter's width, and the room right of the plot, in CSS pixels. */
const LETTER = 3.6;
const EDGE = 12;

/** A graph in an element of the page, until it is destroyed. */
export class Chart {
  readonly #host: HTMLElement;
  readonly #deeds: Deeds;
  #shown: Shown;
  #looks: Looks;
  #plot: uPlot;
  #kept = '';
  #silent = false;
  /** The newest of the mouse's events that was told of. */
  #event: MouseEvent | undefined;

  constructor(host: HTMLElement, shown: Shown, deeds: Deeds) {
    this.#host = host;
    this.#deeds = deeds;
    this.#shown = shown;
    this.#looks = looks(host);
    this.#plot = this.#made();
  }

  /** The plotting area, for gestures. */
  get over(): HTMLElement {
    return this.#plot.over;
  }

  /** Shows something else, or the same at another time. */
  show(shown: Shown): boolean {
    const before = this.#shown;
    this.#shown = shown;
    const fresh = this.#kept !== keyOf(shown);
    if (fresh) {
      this.#plot.destroy();
      this.#plot = this.#made();
    } else {
      this.#plot.batch(() => {
        if (before.drawn !== shown.drawn) this.#plot.setData(dataOf(shown), false);
        this.#plot.setScale('x', { min: shown.view.from, max: shown.view.to });
      });
      this.#plot.redraw(false, true);
    }
    return fresh;
  }

  /** Takes the colours of light or dark anew. */
  relook() {
    this.#looks = looks(this.#host);
    this.#plot.destroy();
    this.#plot = this.#made();
  }

  fit() {
    this.#plot.setSize({ width: this.#host.clientWidth, height: this.#host.clientHeight });
  }

  /** The moment at a distance from the left of the plotting area, in CSS pixels. */
  momentAt(left: number): number {
    return this.#plot.posToVal(left, 'x');
  }

  /** Puts the cursor at a moment without telling of it; null takes it away. */
  point(at: number | null) {
    this.#silent = true;
    const left = at === null ? -10 : this.#plot.valToPos(at, 'x');
    this.#plot.setCursor({ left, top: at === null ? -10 : 10 });
    this.#silent = false;
  }

  /** The picture of it, as it stands. */
  get canvas(): HTMLCanvasElement {
    return this.#plot.ctx.canvas;
  }

  get colours(): Looks {
    return this.#looks;
  }

  destroy() {
    this.#plot.destroy();
  }

  #made(): uPlot {
    this.#kept = keyOf(this.#shown);
    const { drawn } = this.#shown;
    const plot = new uPlot(
      {
        width: this.#host.clientWidth,
        height: this.#host.clientHeight,
        ms: 1,
        padding: [14, 12, 0, 0],
        legend: { show: false },
        scales: {
          x: { time: true, range: () => [this.#shown.view.from, this.#shown.view.to] },
          y: { range: () => this.#reach() },
        },
        axes: this.#axes(),
        series: [{}, ...drawn.flatMap(({ place }) => this.#seriesOf(place))],
        // Between the least and the largest of each point.
        bands: drawn.map(({ place }, i) => ({
          series: [3 * i + 3, 3 * i + 2],
          fill: faint(this.#colour(place), 0.16),
        })),
        cursor: {
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 6 },
          points: { size: 9, show: true },
          bind: {
            // With Shift the graph is moved instead, and a second click is no zoom of uPlot's own.
            mousedown: (_plot, _target, handle) => (event) => {
              if (event.button === 0 && !event.shiftKey) handle(event);
              return null;
            },
            dblclick: () => null,
          },
        },
        select: { show: true, left: 0, top: 0, width: 0, height: 0 },
        hooks: {
          drawClear: [(u) => drawLimits(u, this.#shown.limits, this.#looks)],
          draw: [(u) => drawRaised(u, this.#shown.raised, this.#looks)],
          setSelect: [(u) => this.#selected(u)],
          setCursor: [(u) => this.#pointed(u)],
        },
      },
      dataOf(this.#shown),
      this.#host,
    );
    return plot;
  }

  #axes(): uPlot.Axis[] {
    const common = {
      stroke: this.#looks.soft,
      font: this.#looks.font,
      grid: { stroke: this.#looks.grid, width: 1 },
      ticks: { show: false },
    };
    const inner = (u: uPlot, side: 'width' | 'height') => u.bbox[side] / devicePixelRatio;
    const across = (u: uPlot, min: number, max: number) =>
      marks(min, max, Math.max(2, Math.floor(inner(u, 'width') / ACROSS)));
    return [
      {
        ...common,
        size: 34,
        splits: (u, _axis, min, max) => across(u, min, max).map(({ at }) => at),
        values: (u, splits) => {
          const texts = across(u, u.scales['x']?.min ?? 0, u.scales['x']?.max ?? 0);
          const text = (split: number) => texts.find(({ at }) => at === split)?.text ?? '';
          // What would be cut at the edge is left out; its mark stays.
          const room = (split: number) => inner(u, 'width') - u.valToPos(split, 'x') + EDGE;
          return splits.map((split) => (text(split).length * LETTER > room(split) ? '' : text(split)));
        },
      },
      {
        ...common,
        size: 58,
        splits: (u, _axis, min, max) => figures(min, max, Math.max(2, inner(u, 'height') / DOWN)),
        values: (_u, splits) => {
          const digits = splits.every((split) => Number.isInteger(split)) ? 0 : 1;
          return splits.map((split, i) =>
            i === splits.length - 1
              ? `${figure(split, digits)} ${SIGN[this.#shown.scale]}`
              : figure(split, digits),
          );
        },
      },
    ];
  }

  #seriesOf(place: number): uPlot.Series[] {
    const stroke = this.#colour(place);
    // The mean is the line; the least and the largest are but the edges of its band.
    const edge: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };
    return [
      {
        stroke,
        width: 2,
        dash: dashOf(place),
        points: {
          show: true,
          size: 5,
          fill: stroke,
          filter: (u, series) => lonely((u.data[series] ?? []) as (number | null | undefined)[]),
        },
      },
      edge,
      edge,
    ];
  }

  #colour(place: number): string {
    return this.#looks.lines[place % LINE_COLOURS] ?? this.#looks.text;
  }

  #reach(): [number, number] {
    const { drawn, view, scale, limits } = this.#shown;
    const lines = drawn.map(({ line }) => ({
      ...line,
      min: line.min.map((value) => onScale(value, scale)),
      max: line.max.map((value) => onScale(value, scale)),
    }));
    return reach(
      lines,
      [view.from, view.to],
      limits.map(({ value }) => value),
    );
  }

  #selected(u: uPlot) {
    const { left, width } = u.select;
    if (width < 6) return;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#deeds.onselect(u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
  }

  #pointed(u: uPlot) {
    if (this.#silent) return;
    // uPlot tells of its cursor after each redraw, too; only the mouse brings a new event along.
    const { event, left = -1 } = u.cursor;
    const moved = event !== undefined && event !== this.#event;
    this.#event = event;
    this.#deeds.onpoint(left < 0 ? null : Math.round(u.posToVal(left, 'x')), moved);
  }
}

/** What cannot be changed once a plot is made. */
function keyOf({ drawn, scale }: Shown): string {
  return `${scale} ${drawn.map(({ line, place }) => `${line.sensor} ${place}`).join()}`;
}

function dataOf({ drawn, scale }: Shown): uPlot.AlignedData {
  return aligned(
    drawn.map(({ line }) => line),
    (celsius) => onScale(celsius, scale),
  );
}
