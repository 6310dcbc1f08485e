import { type Static, Type } from 'typebox';
import { list } from './common.ts';
import { ApplyRequest, ChangeResult, ObjectFinding, ObjectName, RollbackRequest } from './objects.ts';

/** What would be done: documents applied, objects deleted, or a revision gone back to. */
export const PlanRequest = Type.Object(
  {
    files: ApplyRequest.properties.files,
    namespace: ApplyRequest.properties.namespace,
    scope: ApplyRequest.properties.scope,
    delete: Type.Optional(Type.Array(ObjectName, { maxItems: 1000 })),
    /** Alone. */
    rollback: Type.Optional(RollbackRequest.properties.revision),
  },
  { additionalProperties: false },
);
export type PlanRequest = Static<typeof PlanRequest>;

/** Lines begin with `- ` (was), `+ ` (would be) or two blanks (stays). */
const lines = list(Type.String());

/** Of one xDS cluster, as seen from one place. */
const EndpointChange = Type.Object({
  xdsCluster: Type.String(),
  /** `agent on NETWORK REGION/ZONE`, all from where it looks the same. */
  seenBy: list(Type.String()),
  gained: list(Type.String()),
  lost: list(Type.String()),
  /** Weight, priority or TLS differ. */
  changed: Type.Integer(),
});

const CallerChange = Type.Object({
  principal: Type.String(),
  cluster: Type.String(),
  allowed: Type.Boolean(),
  /** What decides then. */
  because: Type.String(),
});

export const ServicePlan = Type.Object({
  /** `NAMESPACE/NAME`; of an ingress gateway that of its object. */
  name: Type.String(),
  kind: Type.Union([Type.Literal('service'), Type.Literal('gateway')]),
  /** By port, or listener. */
  routes: list(Type.Object({ name: Type.String(), lines })),
  /** How its xDS clusters are used. */
  policies: list(Type.Object({ name: Type.String(), lines })),
  endpoints: list(EndpointChange),
  callers: list(CallerChange),
});
export type ServicePlan = Static<typeof ServicePlan>;

const PlanFinding = Type.Object({ ...ObjectFinding.properties, object: Type.String() });

const ClientPlan = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  network: Type.String(),
  /** Of which it would be told something else. */
  services: list(Type.String()),
  /** Of these, what a Sidecar shows it that was hidden: names, routes and endpoints are gained as a whole. */
  seen: list(Type.String()),
  /** What a Sidecar hides from it that it sees today. */
  hidden: list(Type.String()),
});

export const Plan = Type.Object({
  objects: ChangeResult.properties.objects,
  waiting: ChangeResult.properties.waiting,
  services: list(ServicePlan),
  /** Connected clients that would be told something else; the first thousand. */
  clients: list(ClientPlan),
  clientsTouched: Type.Integer(),
  clientsConnected: Type.Integer(),
  /** Of the objects that change, those of scope mesh: their owner's peers get them too. */
  meshObjects: Type.Integer(),
  /** Those peers, when there are such objects. Their clients and services are not looked at. */
  otherClusters: list(Type.String()),
  /** That are not there today. */
  findings: list(PlanFinding),
  /** That would be gone. */
  resolved: list(PlanFinding),
  /** Whether traffic of the last hour is known, and policies were held against it. */
  trafficKnown: Type.Boolean(),
});
export type Plan = Static<typeof Plan>;
