import { parseRoute, type Route } from './routes';

/** The page shown, kept in step with the address bar. */
class Router {
  path = $state(location.pathname);
  hash = $state(location.hash);
  readonly route: Route = $derived(parseRoute(this.path));

  constructor() {
    addEventListener('popstate', () => this.#read());
    addEventListener('hashchange', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Shows another page. */
  go(to: string, { replace = false } = {}) {
    if (replace) history.replaceState(null, '', to);
    else history.pushState(null, '', to);
    this.#read();
    scrollTo(0, 0);
  }

  /** Changes what follows `#` without a step in the history. */
  setHash(hash: string) {
    history.replaceState(null, '', `${location.pathname}${location.search}${hash}`);
    this.hash = location.hash;
  }

  #read() {
    this.path = location.pathname;
    this.hash = location.hash;
  }

  /** Links within the page need no load; all else is left to the browser. */
  #follow(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')) return;
    if (parseRoute(link.pathname).page === 'unknown') return;
    event.preventDefault();
    if (link.href !== location.href) this.go(link.pathname + link.search + link.hash);
  }
}

export const router = new Router();
