/**
 * Time, randomness, ids and loops behind ports.
 *
 * Hides: the system clock, timers and random sources. Guarantees: code that takes these ports can run on a virtual clock and replay from a
 * seed. Does not: decide anything, or know any business word.
 */
export { Clock, SystemClock, VirtualClock } from './clock.ts';
export { Ids, SystemIds, SeededIds } from './ids.ts';
export { Random, SystemRandom, SeededRandom } from './random.ts';
export { drawRandomBytes } from './random-bytes.ts';
export { allEnded } from './all-ended.ts';
export { backoffMs, type Backoff } from './backoff.ts';
export { Loop, type LoopStep } from './loop.ts';
export { fileGiven, notGiven } from './given.ts';
export { runProgram, wholeNumber, WrongUsage } from './command-line.ts';
