import type { AsideItem, Metrics } from '#libs/observability';
import type { Stage } from './stage.ts';

/** A loop of the control plane, and how one of its items is made to fail. */
export interface Row {
  /** As in metrics; `observe acc/region`: of one place. */
  readonly loop: string;
  readonly item: string;
  /** Whose calls fail; default: those of the loop, by its first word. */
  readonly poisons?: string;
  readonly scene: (stage: Stage) => Scene | Promise<Scene>;
  /** It comes to the item so seldom that it forgets it in between: time flies here. */
  readonly seldom?: boolean;
  /** Both are taken together, and begun once: the pod alone fails, and none did before it. */
  readonly together?: boolean;
  /** Time is moved ahead by so much while something is awaited, milliseconds; default 2,000. */
  readonly stepMs?: number;
}

/** Two items alike, to which the loop has not come yet. */
interface Scene {
  /** Default: `bad-pod` and `good-pod`. */
  readonly items?: { readonly bad: string; readonly good: string };
  /** The calls that fail name all of these; default: the bad item. */
  readonly mentions?: readonly string[];
  /** Lets the loop come to both; default: it does so by itself. */
  readonly begin?: () => unknown;
  readonly isDone: (item: string) => boolean | Promise<boolean>;
  /** Brings the loop to the items once more, where nothing does so by itself. */
  readonly again?: () => unknown;
}

/** What runs while an item fails, as far as operators see it. */
export interface Watched {
  readonly metrics: Metrics;
  trouble(): string | undefined;
  setAside(): readonly AsideItem[];
}
