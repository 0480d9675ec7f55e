/** For spec files: the routes of the API as its OpenAPI document names them, so that none is forgotten. */
import { call } from '../for-specs.ts';

export interface DocumentedRoute {
  readonly method: string;
  /** With `{names}` of its parameters. */
  readonly path: string;
  readonly queryNames: readonly string[];
  /** Names of the members of its body; undefined when it takes none. */
  readonly bodyNames: readonly string[] | undefined;
  /** Those of them that it must have. */
  readonly requiredNames: readonly string[];
}

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export async function documentedRoutes(
  base: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly DocumentedRoute[]> {
  const { body } = await call<ApiDocument>(base, 'GET', '/api/docs-json', { headers });
  const resolved = (schema: Schema | undefined): Schema | undefined =>
    schema?.$ref === undefined ? schema : body.components.schemas[schema.$ref.split('/').at(-1) as string];
  return Object.entries(body.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody }]) => {
      const schema = resolved(requestBody && Object.values(requestBody.content)[0]?.schema);
      return {
        method: method.toUpperCase(),
        path,
        queryNames: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
        bodyNames: schema && Object.keys(schema.properties ?? {}),
        requiredNames: schema?.required ?? [],
      };
    }),
  );
}

/** The path with the same value for each of its parameters, as it goes on the wire. */
export const pathWith = ({ path }: DocumentedRoute, value: string): string => path.replaceAll(/\{\w+\}/g, value);
