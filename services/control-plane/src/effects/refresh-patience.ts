import type { TokenAge } from './token-life.ts';

/** How long a placement waits for a newer intent before tokens that age, but live, will do. */
const WAIT_FOR_REFRESH_MS = 120_000;
/** The agent of a pod is asked this often at most, however soon it answers. */
const ASK_AGAIN_MS = 30_000;
/** So many fresh answers with expired tokens: not the tokens are old, the clocks differ. */
const ANSWERS = 3;
/** Pods kept in mind; who is forgotten is asked once more than needed. */
const MOST = 20_000;

export interface AskedPod {
  readonly streamId: string;
  /** Names the intent that is in force; changes with each answer of the agent. */
  readonly intent: string;
  /** `missing`: its secrets are not there, so that nothing can be sent without an answer. */
  readonly age: TokenAge | 'missing';
  /** Epoch milliseconds. */
  readonly now: number;
}

/** What to do about a pod whose intent may be too old: place it, ask its agent, or look again in a while, having asked already. */
export type Patience =
  | { readonly kind: 'place' }
  | { readonly kind: 'ask'; readonly againMs: number }
  | { readonly kind: 'wait'; readonly againMs: number };

interface Asked {
  readonly firstAt: number;
  askedAt: number;
  intent: string;
  answers: number;
}

/**
 * How often agents are asked for newer tokens, and when to do without. A cluster whose clock is far behind ours makes tokens that look expired
 * the moment they are made: its answers would make us ask again at once, for ever. In memory, since forgetting it costs one question.
 */
export class RefreshPatience {
  private readonly asked = new Map<string, Asked>();

  decide({ streamId, intent, age, now }: AskedPod): Patience {
    if (age === 'fresh') return this.place(streamId);
    const known = this.asked.get(streamId);
    if (!known) return this.ask(streamId, { firstAt: now, askedAt: now, intent, answers: 0 });
    if (known.intent !== intent) {
      known.intent = intent;
      known.answers += 1;
    }
    if (age === 'ageing' && now - known.firstAt >= WAIT_FOR_REFRESH_MS) return this.place(streamId);
    if (age === 'expired' && known.answers >= ANSWERS) return this.place(streamId);
    const waited = now - known.askedAt;
    // Our own clock may have jumped back.
    if (waited >= 0 && waited < ASK_AGAIN_MS) return { kind: 'wait', againMs: ASK_AGAIN_MS - waited };
    known.askedAt = now;
    return { kind: 'ask', againMs: ASK_AGAIN_MS };
  }

  private place(streamId: string): Patience {
    this.asked.delete(streamId);
    return { kind: 'place' };
  }

  private ask(streamId: string, asked: Asked): Patience {
    if (this.asked.size >= MOST) this.asked.delete(this.asked.keys().next().value as string);
    this.asked.set(streamId, asked);
    return { kind: 'ask', againMs: ASK_AGAIN_MS };
  }
}
