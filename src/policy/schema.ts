import { z } from 'zod';
import {
  durationSchema,
  environmentSchema,
  fields,
  headerNameSchema,
  nameSchema,
  scopeSchema,
  textOf,
  unitsSchema,
} from './schema-parts.ts';
import { routeSchema } from './schema-routes.ts';

const credentialEnvironments = z
  .array(environmentSchema)
  .min(1)
  .optional()
  .describe('Environments of keys that this place accepts. Default: whatever the route accepts.');

const credentialSchema = z.discriminatedUnion('type', [
  fields({
    type: z.literal('bearer').describe('Authorization: Bearer <key>'),
    environments: credentialEnvironments,
  }),
  fields({
    type: z.literal('api_key').describe('The key in a place of its own.'),
    in: z.enum(['header', 'query', 'cookie']),
    name: z.string().describe('The name of the header, query parameter or cookie.'),
    environments: credentialEnvironments,
  }),
  fields({
    type: z.literal('basic').describe('Authorization: Basic, with user-id and password.'),
    accept: z
      .array(z.enum(['key_as_username']))
      .min(1)
      .default(['key_as_username'])
      .describe('key_as_username: the key is the user-id, the password is empty.'),
    environments: credentialEnvironments,
  }),
]);

const keyFormatSchema = fields({
  prefix: textOf(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/,
    'a prefix is 1 to 32 letters, digits, "_" and "-", and begins with a letter or digit',
  ).default('lk'),
  separator: z
    .enum(['_', '-', '.', '~'])
    .default('_')
    .describe('Between the environment and the rest of the key.'),
  environments: z.array(environmentSchema).min(1).default(['live', 'test']),
  accept_foreign: z
    .boolean()
    .default(false)
    .describe('Look up texts that are no keys of this format, instead of refusing them unseen.'),
  also_accept: z
    .array(
      textOf(
        /^[!#-&(-+\--~]{1,64}$/,
        'a prefix of keys is 1 to 64 visible ASCII characters without comma and quotes',
      ),
    )
    .default([])
    .describe('Beginnings of older or foreign keys that are looked up whatever their checksum.'),
});

const limitSchema = fields({
  name: nameSchema,
  quota: unitsSchema.describe('Units per window.'),
  window: durationSchema.describe('30s, 1m, 1h, 1d.'),
  per: z.enum(['key', 'user', 'organization', 'client_address']).default('key'),
  algorithm: z
    .enum(['gcra', 'fixed_window'])
    .default('gcra')
    .describe('gcra: a burst, then a steady rate. fixed_window: a count per window.'),
  burst: unitsSchema.optional().describe('Most units at once, for gcra. Default: the quota.'),
});

const rolesSchema = fields({
  member: fields({ scopes: z.array(scopeSchema) }).optional(),
  org_admin: fields({ scopes: z.array(scopeSchema) }).optional(),
  super_admin: fields({ scopes: z.array(scopeSchema) }).optional(),
});

const errorsSchema = z.discriminatedUnion('format', [
  fields({ format: z.literal('problem').describe('RFC 9457 problem details.') }),
  fields({
    format: z.literal('template').describe('JSON of your own, with {placeholders}.'),
    content_type: textOf(
      /^[a-z0-9.+-]+\/[a-z0-9.+-]+(; ?[a-z0-9-]+=[A-Za-z0-9._-]+)*$/,
      'a content type looks like application/json or application/vnd.example+json; charset=utf-8',
    ).default('application/json'),
    default: z.unknown().describe('The body of every denial that `reasons` does not name.'),
    reasons: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('Bodies by denial code or reason.'),
  }),
]);

const clientAddressSchema = z.union([
  z.enum(['envoy_external', 'peer']),
  fields({
    xff: z.int().min(1).max(16).describe('Which address of x-forwarded-for, from the right.'),
  }),
]);

const failedAuthenticationsSchema = z.union([
  z.literal('off'),
  fields({ quota: unitsSchema, window: durationSchema }),
]);

/** The policy file. Its field names, defaults and descriptions are the reference; docs/policy.md tells the rest. */
export const policySchema = fields({
  version: z.literal(1),
  realm: textOf(
    /^[ !#-[\]-~]{1,128}$/,
    'a realm is 1 to 128 visible ASCII characters without quotes and backslashes',
  )
    .default('api')
    .describe('The realm of WWW-Authenticate challenges.'),
  credentials: z
    .record(nameSchema, credentialSchema)
    .default({})
    .describe('Where a request may carry a key. Nothing is accepted that is not named here.'),
  key_format: keyFormatSchema.prefault({}),
  scopes: z.record(scopeSchema, fields({ implies: z.array(scopeSchema).default([]) })).default({}),
  roles: rolesSchema
    .default({})
    .describe("What a key may hold at most, by its owner's role. A role left out is no bound."),
  administration_scope: scopeSchema
    .nullable()
    .default(null)
    .describe('A key may use the key API only with this scope. null: no key may.'),
  plans: z.record(nameSchema, fields({ limits: z.array(limitSchema) })).default({}),
  failed_authentications: failedAuthenticationsSchema
    .default({ quota: 30, window: '1m' })
    .describe('How often one client address may fail to authenticate, or off.'),
  client_address: clientAddressSchema
    .default('envoy_external')
    .describe('Whose address counts as the client: x-envoy-external-address, the peer, or xff.'),
  rate_limit_headers: fields({
    reset: z
      .enum(['epoch', 'delta'])
      .default('epoch')
      .describe('X-RateLimit-Reset as seconds since 1970, or as seconds from now.'),
  }).prefault({}),
  principal_headers: fields({
    id: headerNameSchema.default('x-principal-id'),
    organization: headerNameSchema.default('x-principal-organization'),
    scopes: headerNameSchema.default('x-principal-scopes'),
    plan: headerNameSchema.default('x-principal-plan'),
    credential: headerNameSchema.default('x-credential-id'),
    method: headerNameSchema.default('x-auth-method'),
  })
    .prefault({})
    .describe('Names of the headers that tell the upstream who calls.'),
  strip_headers: z
    .array(headerNameSchema)
    .default([])
    .describe('Further request headers that never reach the upstream.'),
  public_origins: z
    .array(z.string())
    .default([])
    .describe('Origins of web pages that may send cookies: https://app.example.com'),
  outage: z
    .enum(['denied', 'error_response', 'grpc_error'])
    .default('denied')
    .describe('How an outage is told to Envoy.'),
  errors: errorsSchema.default({ format: 'problem' }),
  routes: z.array(routeSchema),
});

export type PolicyFile = z.output<typeof policySchema>;
export type CredentialEntry = PolicyFile['credentials'][string];

/** The schema for editors and other tools: JSON Schema 2020-12 of the file as it is written. */
export function policyJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(policySchema, { io: 'input' });
  return {
    $schema,
    $id: 'urn:latchkey:policy:1',
    title: 'latchkey policy',
    ...schema,
  };
}
