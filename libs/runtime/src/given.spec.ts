import { expect, it } from 'vitest';
import { fileGiven, notGiven } from './given.ts';

it.each([
  ['soon', ', not "soon"'],
  ['', ', not ""'],
  ['two\nlines', String.raw`, not "two\nlines"`],
  ['x'.repeat(100), `, not "${'x'.repeat(80)}…"`],
  ['https://user:password@host', ''],
])('a complaint about %j ends with %j', (value, end) => {
  expect(notGiven(value)).toBe(end);
});

it.each([
  ['/run/secrets/key', '/run/secrets/key '],
  ['./key', './key '],
  ['c2VjcmV0LXNlY3JldC1zZWNyZXQ=', ''],
  ['/9j4AAQSkZJRgABAQ+z=', ''],
])('a file is named as %j only when it is a path', (path, shown) => {
  expect(fileGiven(path)).toBe(shown);
});
