import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { policyJsonSchema, policySchema } from '../../../src/policy/schema.ts';

const schema = policyJsonSchema();
const at = (...path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), schema);

describe('the JSON Schema for editors', () => {
  it('says what it is a schema of', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'urn:latchkey:policy:1',
      type: 'object',
    });
  });

  it('knows every field, refuses others, and asks only for what has no default', () => {
    expect(Object.keys(Object(at('properties')))).toEqual(Object.keys(policySchema.shape));
    expect(at('additionalProperties')).toBe(false);
    expect(at('required')).toEqual(['version', 'routes']);
    expect(at('properties', 'routes', 'items', 'additionalProperties')).toBe(false);
    expect(at('properties', 'routes', 'items', 'required')).toEqual(['name', 'match']);
  });

  it('describes fields and keeps forms and choices', () => {
    expect(at('properties', 'routes', 'items', 'properties', 'hide')).toMatchObject({
      type: 'boolean',
      default: false,
      description: expect.stringContaining('does not exist'),
    });
    expect(at('properties', 'outage', 'enum')).toEqual(['denied', 'error_response', 'grpc_error']);
    expect(JSON.stringify(schema)).toContain('[smhd]$');
  });

  it('survives being printed', () => {
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });
});

describe('the reference page', () => {
  const page = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');

  it('tells of every field', () => {
    const names = new Set<string>();
    const collect = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      const properties: unknown = Reflect.get(value, 'properties');
      for (const name of Object.keys(Object(properties))) names.add(name);
      for (const inner of Object.values(value)) collect(inner);
    };
    collect(schema);
    const missing = [...names].filter((name) => !page.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});
