import { Role, type Identity } from '../gen/larder/v1/access_pb';
import { access, onSignedOut } from './client';
import { problem } from './problem';

/** Who is looking, and whether anybody has been made admin yet. */
class Session {
  state = $state<'asking' | 'known' | 'unreachable'>('asking');
  hasAdmin = $state(true);
  identity = $state<Identity | null>(null);
  error = $state('');
  readonly mayOperate = $derived((this.identity?.role ?? 0) >= Role.OPERATOR);
  readonly mayAdminister = $derived((this.identity?.role ?? 0) >= Role.ADMIN);

  constructor() {
    onSignedOut(() => (this.identity = null));
  }

  async load() {
    try {
      const answer = await access.getAccessState({});
      this.hasAdmin = answer.hasAdmin;
      this.identity = answer.identity ?? null;
      this.state = 'known';
    } catch (error) {
      this.error = problem(error);
      this.state = 'unreachable';
    }
  }

  async signIn(name: string, password: string) {
    const answer = await access.signIn({
      credentials: { case: 'password', value: { name, password } },
    });
    this.#entered(answer.identity);
  }

  async signInWithCode(code: string) {
    const answer = await access.signIn({ credentials: { case: 'code', value: code } });
    this.#entered(answer.identity);
  }

  async createFirstAdmin(name: string, password: string, code: string) {
    const answer = await access.createFirstAdmin({ name, password, code });
    this.hasAdmin = true;
    this.#entered(answer.identity);
  }

  async signOut() {
    await access.signOut({});
    this.identity = null;
  }

  #entered(identity: Identity | undefined) {
    this.identity = identity ?? null;
  }
}

export const session = new Session();
