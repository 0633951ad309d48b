// How a graph is moved and zoomed by wheel and by touch. Drawing a stretch with the mouse is uPlot's own.

/** What gestures do; places are in CSS pixels from the left of the element. */
export interface Moves {
  /** Closer (below 1) or further, about a place. */
  zoom: (factor: number, left: number) => void;
  /** By so many pixels of the element's width: positive shows later times. */
  pan: (pixels: number) => void;
}

/** Listens on the plotting area; the returned function ends it. */
export function follow(over: HTMLElement, { zoom, pan }: Moves): () => void {
  const touches = new Map<number, number>();
  let grabbed: number | null = null;
  const left = (clientX: number) => clientX - over.getBoundingClientRect().left;
  const spread = () => {
    const [one = 0, other = 0] = touches.values();
    return { width: Math.max(12, Math.abs(one - other)), middle: (one + other) / 2 };
  };

  const wheel = (event: WheelEvent) => {
    // A plain wheel scrolls the page. A pinch on a touchpad comes as a wheel with Ctrl.
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 300), left(event.clientX));
    else if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) pan(sideways);
    else return;
    event.preventDefault();
  };
  const down = (event: PointerEvent) => {
    if (event.pointerType === 'mouse') {
      if (event.button !== 0 || !event.shiftKey) return;
      grabbed = event.clientX;
      over.setPointerCapture(event.pointerId);
    } else {
      touches.set(event.pointerId, event.clientX);
    }
  };
  const move = (event: PointerEvent) => {
    if (grabbed !== null) {
      pan(grabbed - event.clientX);
      grabbed = event.clientX;
    }
    const was = touches.get(event.pointerId);
    if (was === undefined) return;
    const before = spread();
    touches.set(event.pointerId, event.clientX);
    if (touches.size === 1) return pan(was - event.clientX);
    const after = spread();
    zoom(before.width / after.width, left(after.middle));
    pan(before.middle - after.middle);
  };
  const up = (event: PointerEvent) => {
    grabbed = null;
    touches.delete(event.pointerId);
  };

  const listeners: [string, (event: never) => void, AddEventListenerOptions?][] = [
    ['wheel', wheel, { passive: false }],
    ['pointerdown', down],
    ['pointermove', move],
    ['pointerup', up],
    ['pointercancel', up],
  ];
  for (const [name, listener, options] of listeners) {
    over.addEventListener(name, listener as EventListener, options);
  }
  // A finger moved up and down scrolls the page; all else is ours.
  over.style.touchAction = 'pan-y';
  return () => {
    for (const [name, listener] of listeners) over.removeEventListener(name, listener as EventListener);
  };
}
