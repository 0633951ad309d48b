// The page's colours and type for a canvas, which knows nothing of tokens.

/** What a graph is drawn with, as a canvas takes it. */
export interface Looks {
  page: string;
  text: string;
  soft: string;
  grid: string;
  alarm: string;
  alarmFaint: string;
  lines: string[];
  font: string;
}

/** Colours of lines, and how often they repeat with another dash. */
export const LINE_COLOURS = 4;
const DASHES: readonly number[][] = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

/** The dash of the line at a place. */
export function dashOf(place: number): number[] {
  // Neighbours differ in colour and in dash, so that they are told apart without colours too.
  return DASHES[place % DASHES.length] ?? [];
}

/** The token of the line at a place. */
export function colourOf(place: number): string {
  return `var(--line-${(place % LINE_COLOURS) + 1})`;
}

/** Reads the tokens as they are now, in light or dark. */
export function looks(host: HTMLElement): Looks {
  const probe = document.createElement('span');
  host.append(probe);
  const colour = (value: string) => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const read = {
    page: colour('var(--glass)'),
    text: colour('var(--text)'),
    soft: colour('var(--text-soft)'),
    grid: colour('var(--line)'),
    alarm: colour('var(--alarm)'),
    alarmFaint: colour('var(--alarm-faint)'),
    lines: Array.from({ length: LINE_COLOURS }, (_, place) => colour(colourOf(place))),
    font: `13px ${getComputedStyle(probe).fontFamily}`,
  };
  probe.remove();
  return read;
}

/** The colour with so much of it. */
export function faint(colour: string, alpha: number): string {
  return `color-mix(in oklab, ${colour} ${Math.round(alpha * 100)}%, transparent)`;
}
