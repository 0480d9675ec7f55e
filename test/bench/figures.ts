/** Value below which a share of the samples lies; nearest rank. NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

interface Aim {
  readonly text: string;
  readonly met: boolean;
}

/** One line of a result. */
export interface Figure {
  readonly what: string;
  readonly value: string;
  readonly aim?: Aim;
}

export const rate = (perSecond: number, unit: string): string => `${count(perSecond)} ${unit}/s`;
export const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
export const ratio = (value: number): string => `× ${value < 10 ? value.toFixed(2) : value.toFixed(0)}`;
export const atMost = (limit: number, value: number, show: (value: number) => string): Aim => ({
  text: `≤ ${show(limit)}`,
  met: value <= limit,
});
export const atLeast = (limit: number, value: number, show: (value: number) => string): Aim => ({
  text: `≥ ${show(limit)}`,
  met: value >= limit,
});

function count(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en-GB');
}

/** The figures of one bench as lines of text. */
export function table(title: string, figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ what }) => what.length));
  const lines = figures.map(({ what, value, aim }) => {
    const verdict = aim === undefined ? '' : `   aim ${aim.text}: ${aim.met ? 'met' : 'MISSED'}`;
    return `  ${what.padEnd(width)}  ${value}${verdict}`;
  });
  return `${title}\n${lines.join('\n')}\n`;
}
