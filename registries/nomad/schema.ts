import { z } from 'zod';
import { MeshError } from '../../core/errors.ts';

/** What Isthmus reads of Nomad's answers (HTTP API v1, Nomad 1.4 and later); the rest is ignored. Nomad says null for empty. */

const registration = z.object({
  ID: z.string(),
  ServiceName: z.string(),
  Namespace: z.string(),
  AllocID: z.string(),
  NodeID: z.string(),
  Datacenter: z.string().nullish(),
  Address: z.string(),
  Port: z.number(),
  Tags: z.array(z.string()).nullish(),
  CreateIndex: z.number(),
  ModifyIndex: z.number(),
});

const allocation = z.object({
  ID: z.string(),
  ClientStatus: z.string(),
  DesiredStatus: z.string(),
  DesiredTransition: z.object({ Migrate: z.boolean().nullish() }).nullish(),
  ModifyIndex: z.number(),
});

const node = z.object({ ID: z.string(), Status: z.string(), ModifyIndex: z.number() });

const event = z.object({
  Topic: z.string(),
  Type: z.string(),
  Index: z.number(),
  Payload: z.object({ Service: registration.nullish(), Allocation: allocation.nullish(), Node: node.nullish() }).nullish(),
});

export type Registration = z.infer<typeof registration>;
export type Allocation = z.infer<typeof allocation>;
export type NomadNode = z.infer<typeof node>;
export type NomadEvent = z.infer<typeof event>;
export type CheckResults = z.infer<typeof checkResults>;

const checkResults = z.record(z.string(), z.object({ Service: z.string(), Status: z.string() })).nullable();

/** /v1/services */
export const parseServiceList = parser(
  '/v1/services',
  z.array(z.object({ Namespace: z.string(), Services: z.array(z.object({ ServiceName: z.string() })).nullable() })).nullable(),
);
/** /v1/service/NAME */
export const parseRegistrations = parser('/v1/service', z.array(registration).nullable());
/** /v1/allocations */
export const parseAllocations = parser('/v1/allocations', z.array(allocation).nullable());
/** /v1/nodes */
export const parseNodes = parser('/v1/nodes', z.array(node).nullable());
/** /v1/client/allocation/ID/checks: check id → result. */
export const parseChecks = parser('/v1/client/allocation/checks', checkResults);
/** One line of /v1/event/stream; no Events: a heartbeat. */
export const parseEventLine = parser(
  '/v1/event/stream',
  z.object({ Index: z.number().optional(), Events: z.array(event).nullish() }).strict(),
);

function parser<T>(what: string, schema: z.ZodType<T>): (body: unknown) => T {
  return (body) => {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues.slice(0, 3).map((i) => `${i.path.join('.')}: ${i.message}`);
    const message = `Nomad: the answer to ${what} is not what its API says (${where.join('; ')}): check that connection.url is Nomad's`;
    throw new MeshError('PROTOCOL_ERROR', message, { retryable: true });
  };
}
