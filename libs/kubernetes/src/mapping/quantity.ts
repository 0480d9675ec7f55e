/** Kubernetes quantities (`500m`, `1Gi`, `1e3`) as plain numbers. */

const SUFFIX: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;

/** The quantity in its base unit (cores, bytes, pieces), or undefined when the text is no quantity or below zero. */
export function parseQuantity(value: string | number): number | undefined {
  const match = /^\+?(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,3})|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/.exec(
    String(value),
  );
  if (!match) return undefined;
  const [, digits = '', exponent, suffix = ''] = match;
  const scaled = Number(digits) * (exponent === undefined ? SUFFIX[suffix]! : 10 ** Number(exponent));
  return Number.isFinite(scaled) ? scaled : undefined;
}

/** Whole thousandths of a core; fractions round up, as in Kubernetes. The small slack absorbs what binary fractions add. */
export const milliCores = (cores: number): number => Math.ceil(cores * 1000 - 1e-6);
