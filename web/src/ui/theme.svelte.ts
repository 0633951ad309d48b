/** Door open, door closed, or as the device has it. */
export type Choice = 'auto' | 'light' | 'dark';

const KEY = 'larder.theme';

class Theme {
  choice = $state<Choice>(read());

  choose(choice: Choice) {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Storage may be off; the choice then lasts until the page is left.
    }
    this.apply();
  }

  apply() {
    const root = document.documentElement;
    if (this.choice === 'auto') delete root.dataset['theme'];
    else root.dataset['theme'] = this.choice;
  }
}

function read(): Choice {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'auto';
  } catch {
    return 'auto';
  }
}

export const theme = new Theme();
