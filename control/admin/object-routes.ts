import { Type } from 'typebox';
import {
  ApplyRequest,
  ChangeResult,
  ConfirmRequest,
  DeleteRequest,
  ObjectList,
  Plan,
  PlanRequest,
  RevisionDetail,
  RevisionList,
  RevisionSummary,
  RollbackRequest,
} from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { Checked } from '../../core/validate.ts';
import type { Grants } from './access.ts';
import { ApiRefusal } from './api-errors.ts';
import { roleForDocuments, roleForKinds } from './attestation-rights.ts';
import type { ControlApi } from './control-api.ts';
import type { ObjectsApi } from './objects-api.ts';
import { asking, changing, type Route, reading } from './route.ts';

const none = Type.Object({}, { additionalProperties: false });
const closed = { additionalProperties: false };
const number = Type.String({ pattern: '^[0-9]{1,12}$' });
const word = Type.Optional(Type.String({ minLength: 1, maxLength: 253 }));
/** Text of 1 MiB, escaped. */
const applyBytes = 4 * 1024 * 1024;
const historyLength = 20;
const longestHistory = 1000;

function objectsOf(api: ControlApi): ObjectsApi {
  if (api.objects === undefined) throw new MeshError('NOT_FOUND', 'this control plane takes no objects');
  return api.objects;
}

/** What is wrong with the documents reaches the caller whole, with file, line and path. */
function accepted<T>(checked: Checked<T>): T {
  if (checked.ok) return checked.value;
  const count = checked.violations.length;
  throw new ApiRefusal(422, 'CONFIG_INVALID', `nothing was changed: ${count} ${count === 1 ? 'mistake' : 'mistakes'}`, checked.violations);
}

/** Documents may hold what nobody may log; the diff has them field by field, redacted. */
const withoutText = (body: unknown) => ({
  ...(body as ApplyRequest),
  files: (body as ApplyRequest).files.map(({ file, text }) => ({ file, bytes: text.length })),
});

export const objectRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/objects/apply',
    role: 'editor',
    query: none,
    params: none,
    body: ApplyRequest,
    reply: ChangeResult,
    bodyBytes: applyBytes,
    auditBody: withoutText,
    scope: ({ body }, api) => objectsOf(api).namespacesOf(body.files, body.namespace),
    stronger: ({ body }) => roleForDocuments(body.files),
    change: async (api, { body, caller }) => accepted(await objectsOf(api).apply(body, caller.subject)),
  }),
  changing({
    method: 'POST',
    path: '/v1/objects/delete',
    role: 'editor',
    query: none,
    params: none,
    body: DeleteRequest,
    reply: ChangeResult,
    bodyBytes: applyBytes,
    scope: ({ body }) => [...new Set(body.objects.map((o) => o.namespace))],
    stronger: ({ body }) => roleForKinds(body.objects.map((o) => o.kind)),
    change: async (api, { body, caller }) => accepted(await objectsOf(api).delete(body, caller.subject)),
  }),
  changing({
    method: 'POST',
    path: '/v1/objects/rollback',
    role: 'editor',
    query: none,
    params: none,
    body: RollbackRequest,
    reply: ChangeResult,
    scope: ({ body }, api) => objectsOf(api).namespacesSince(body.revision),
    stronger: async ({ body }, api) => roleForKinds((await objectsOf(api).kindsSince?.(body.revision)) ?? []),
    change: async (api, { body, caller }) => accepted(await objectsOf(api).rollback(body, caller.subject)),
  }),
  changing({
    method: 'POST',
    path: '/v1/objects/confirm',
    role: 'editor',
    query: none,
    params: none,
    body: ConfirmRequest,
    reply: RevisionSummary,
    scope: (_call, api) => objectsOf(api).namespacesWaiting(),
    change: (api, { body, caller }) => objectsOf(api).confirm(body.revision, caller.subject),
  }),
  asking({
    // It names services, callers and clients of every namespace.
    path: '/v1/plan',
    role: 'viewer',
    scope: 'mesh',
    query: none,
    params: none,
    body: PlanRequest,
    reply: Plan,
    bodyBytes: applyBytes,
    ask: async (api, { body }) => accepted(await objectsOf(api).plan(body)),
  }),
  reading({
    path: '/v1/objects',
    role: 'viewer',
    scope: 'some',
    query: Type.Object({ kind: word, group: word, namespace: word, name: word, documents: Type.Optional(Type.Literal('true')) }, closed),
    params: none,
    reply: ObjectList,
    read: async (api, { query: { documents, ...filter }, grants }) => {
      const { objects } = await objectsOf(api).list({ ...filter, documents: documents === 'true' });
      return { objects: objects.filter((o) => grants.has('viewer', o.namespace)) };
    },
  }),
  reading({
    path: '/v1/objects/revisions',
    role: 'viewer',
    scope: 'some',
    query: Type.Object({ limit: Type.Optional(number), before: Type.Optional(number) }, closed),
    params: none,
    reply: RevisionList,
    read: async (api, { query, grants }) => {
      const limit = Math.min(longestHistory, Number(query.limit ?? historyLength));
      const found = await objectsOf(api).history(limit, query.before === undefined ? undefined : Number(query.before));
      return { ...found, revisions: found.revisions.map((r) => visibleSummary(r, grants)) };
    },
  }),
  reading({
    path: '/v1/objects/revisions/:number',
    role: 'viewer',
    scope: 'some',
    query: none,
    params: Type.Object({ number }, closed),
    reply: RevisionDetail,
    read: async (api, { params, grants }) => {
      const found = await objectsOf(api).revision(Number(params.number));
      const changes = found.changes.filter((c) => grants.has('viewer', c.namespace));
      return { ...visibleSummary(found, grants), changes };
    },
  }),
];

/** That something changed anybody may know, and when; what it was only who may see it. */
function visibleSummary<T extends RevisionSummary>(revision: T, grants: Grants): T {
  if (grants.has('viewer', '*')) return revision;
  const objects = revision.objects.filter((o) => grants.has('viewer', o.split(' ')[1]?.split('/')[0] ?? ''));
  return { ...revision, objects, ...(objects.length === revision.objects.length ? {} : { message: '' }) };
}
