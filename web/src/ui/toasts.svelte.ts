/** A word about what was just done, with a way back where there is one. */
export interface Toast {
  id: number;
  text: string;
  alarm: boolean;
  undo?: () => void;
}

const SHOWN_MS = 7000;

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
    this.list = [...this.list.slice(-2), toast];
    setTimeout(() => this.dismiss(toast.id), SHOWN_MS);
  }
}

export const toasts = new Toasts();
