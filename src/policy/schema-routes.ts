import { z } from 'zod';
import {
  costSchema,
  environmentSchema,
  fields,
  nameSchema,
  scopeSchema,
  textOf,
} from './schema-parts.ts';

/** Hosts and methods of a route multiply when routes are held against each other; a template or "*" says more with less. */
const HOSTS_MAX = 64;
const METHODS_MAX = 16;

/** An index from 0; no host and no template is longer than this. */
const indexSchema = z.int().min(0).max(255);

const matchSchema = fields({
  hosts: z
    .array(z.string())
    .min(1)
    .max(HOSTS_MAX)
    .optional()
    .describe(
      'Host names without port: api.example.com, *.example.com (any name below it) or "*". Default: every host.',
    ),
  path: z
    .string()
    .describe(
      'A template of segments: /v1/scans, /v1/scans/{id} (one segment), /v1/admin/** (this path and everything below).',
    ),
  methods: z
    .array(
      textOf(
        /^[A-Z][A-Z0-9_-]{0,31}$/,
        'a method is written as it is sent, in capitals: GET, POST, PROPFIND',
      ),
    )
    .min(1)
    .max(METHODS_MAX)
    .optional()
    .describe('Default: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS. GET answers HEAD as well.'),
});

const scopesSchema = z.union([
  z.array(scopeSchema),
  fields({
    all_of: z.array(scopeSchema).default([]).describe('Every one of these.'),
    any_of: z.array(scopeSchema).default([]).describe('At least one of these.'),
  }),
]);

const organizationSchema = z.discriminatedUnion('from', [
  fields({
    from: z.literal('host_label'),
    index: indexSchema.describe('Which label of the host, from the left, counted from 0.'),
  }),
  fields({
    from: z.literal('path_segment'),
    index: indexSchema.describe('Which segment of the path, counted from 0.'),
  }),
]);

export const routeSchema = fields({
  name: nameSchema.describe('Unique; in logs and metrics, and what an Envoy route may name.'),
  match: matchSchema,
  auth: z
    .enum(['required', 'optional', 'none'])
    .default('required')
    .describe(
      'optional: no credential is anonymous, a bad one is refused. none: credentials are not looked at.',
    ),
  accept: z
    .array(nameSchema)
    .optional()
    .describe('Names of credentials that count here. Default: all that the policy names.'),
  scopes: scopesSchema
    .default([])
    .describe('A list (all of them), or all_of and any_of. Default: none.'),
  environments: z
    .array(environmentSchema)
    .min(1)
    .optional()
    .describe('Environments of keys that count here. Default: [live].'),
  hide: z
    .boolean()
    .default(false)
    .describe('Refusals look exactly like the answer for a path that does not exist.'),
  cost: costSchema
    .default(1)
    .describe('Units that a request draws from each limit of its plan; 0 is free.'),
  pass_credential: z
    .boolean()
    .default(false)
    .describe('Leave the credential in the request for the upstream.'),
  organization: organizationSchema
    .optional()
    .describe('Where the request names the organization that the key must belong to.'),
});

export type RouteEntry = z.output<typeof routeSchema>;
