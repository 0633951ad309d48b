/** A word about what was just done, with a way back where there is one. */
export interface Toast {
  id: number;
  text: string;
  alarm: boolean;
  undo?: () => void;
}

const SHOWN_MS = 7000;
/** What went wrong needs longer to be read. */
const ALARM_MS = 20_000;

class Toasts {
  list = $state<Toast[]>([]);
  #next = 1;

  say(text: string, undo?: () => void) {
    this.#add({ id: this.#next++, text, alarm: false, ...(undo ? { undo } : {}) });
  }

  alarm(text: string) {
    this.#add({ id: this.#next++, text, alarm: true });
  }

  dismiss(id: number) {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #add(toast: Toast) {
    // The same word again takes the place of the first.
    const others = this.list.filter((other) => other.text !== toast.text);
    this.list = [...others.slice(-2), toast];
    setTimeout(() => this.dismiss(toast.id), toast.alarm ? ALARM_MS : SHOWN_MS);
  }
}

export const toasts = new Toasts();
