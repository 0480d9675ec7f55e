import 'reflect-metadata';
import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { requireStrictSchemas } from './declared.ts';
import { nearest, openPlaces } from './strict-schema.ts';

const Strict = z.strictObject({ a: z.string() });
const Loose = z.object({ a: z.string() });

@Controller()
class StrictController {
  @Post()
  post(@Body({ schema: Strict }) _body: unknown): void {}
  @Get()
  get(@Query({ schema: Strict }) _query: unknown): void {}
}

@Controller()
class LooseController {
  @Post()
  post(@Body({ schema: z.strictObject({ parts: z.array(Loose).optional() }) }) _body: unknown): void {}
}

@Controller()
class UndeclaredController {
  @Get()
  get(@Query() _query: unknown): void {}
}

describe('schemas of requests', () => {
  it('must be strict, or nothing starts', () => {
    expect(() => requireStrictSchemas([StrictController])).not.toThrow();
    expect(() => requireStrictSchemas([StrictController, LooseController])).toThrow(
      'LooseController.post: its body takes members that it does not know at /parts',
    );
    expect(() => requireStrictSchemas([UndeclaredController])).toThrow(
      'UndeclaredController.get: its query has no schema',
    );
  });

  it.each([
    ['loose', Loose, ['/']],
    ['passthrough', z.looseObject({}), ['/']],
    ['in a member', z.strictObject({ x: Loose }), ['/x']],
    ['in a union', z.union([Strict, Loose]), ['/']],
    ['in a discriminated union', z.discriminatedUnion('k', [z.object({ k: z.literal('a') })]), ['/']],
    ['behind optional, default, nullable', z.strictObject({ x: Loose.nullable().optional() }), ['/x']],
    ['in a record', z.record(z.string(), Loose), ['/']],
    ['in a tuple', z.tuple([Loose]), ['/']],
    ['in a pipe', Loose.transform((value) => value), ['/']],
    [
      'strict',
      z.strictObject({ x: Strict.refine(() => true).optional(), y: z.array(Strict) }).extend({ z: Strict }),
      [],
    ],
  ])('are seen through: %s', (_, schema, open) => {
    expect(openPlaces(schema)).toEqual(open);
  });
});

describe('a mistyped name', () => {
  it.each([
    ['onyl', 'only'],
    ['reasn', 'reason'],
    ['accountID', 'accountId'],
    ['clustr', 'cluster'],
    ['surprise', undefined],
    ['x', undefined],
  ])('%s is taken for %s', (name, meant) => {
    expect(nearest(name, ['only', 'all', 'reason', 'by', 'accountId', 'cluster'])).toBe(meant);
  });
});
