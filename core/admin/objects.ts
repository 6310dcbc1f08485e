import { type Static, Type } from 'typebox';
import { list } from './common.ts';

const namespaceName = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' });
const objectName = Type.String({ minLength: 1, maxLength: 253 });
const kind = Type.String({ pattern: '^[A-Za-z]{1,63}$' });
const group = Type.String({ pattern: '^[a-z0-9.-]{1,253}$' });
const message = Type.Optional(Type.String({ maxLength: 1000 }));
const confirmWithinMs = Type.Optional(Type.Integer({ minimum: 1000, maximum: 86_400_000 }));
/** Refused unless the newest revision is this one. */
const ifRevision = Type.Optional(Type.Integer({ minimum: 0 }));
const revisionNumber = Type.Integer({ minimum: 0, maximum: 999_999_999_999 });

/** One file as its author wrote it, so that mistakes can be shown in its lines. */
const DocumentFile = Type.Object(
  { file: Type.String({ minLength: 1, maxLength: 4096 }), text: Type.String({ maxLength: 1024 * 1024 }) },
  { additionalProperties: false },
);

const files = Type.Array(DocumentFile, { maxItems: 1000 });
const scope = Type.Union([Type.Literal('mesh'), Type.Literal('cluster')]);

export const ObjectName = Type.Object(
  { kind, group: Type.Optional(group), namespace: namespaceName, name: objectName },
  { additionalProperties: false },
);
export type ObjectName = Static<typeof ObjectName>;

export const ApplyRequest = Type.Object(
  {
    files,
    /** For documents that name none. */
    namespace: Type.Optional(namespaceName),
    /** Instead of what the documents say. */
    scope: Type.Optional(scope),
    dryRun: Type.Optional(Type.Boolean()),
    /** Rolled back by itself unless confirmed within this time. */
    confirmWithinMs,
    ifRevision,
    message,
  },
  { additionalProperties: false },
);
export type ApplyRequest = Static<typeof ApplyRequest>;

export const DeleteRequest = Type.Object(
  {
    objects: Type.Array(ObjectName, { maxItems: 1000 }),
    dryRun: Type.Optional(Type.Boolean()),
    confirmWithinMs,
    ifRevision,
    message,
  },
  { additionalProperties: false },
);
export type DeleteRequest = Static<typeof DeleteRequest>;

export const RollbackRequest = Type.Object(
  {
    /** The state after this revision; 0: before the first. */
    revision: revisionNumber,
    dryRun: Type.Optional(Type.Boolean()),
    confirmWithinMs,
    ifRevision,
    message,
  },
  { additionalProperties: false },
);
export type RollbackRequest = Static<typeof RollbackRequest>;

/** Absent: whichever waits. */
export const ConfirmRequest = Type.Object({ revision: Type.Optional(revisionNumber) }, { additionalProperties: false });
export type ConfirmRequest = Static<typeof ConfirmRequest>;

const ref = { kind: Type.String(), group: Type.String(), namespace: Type.String(), name: Type.String() };
const document = Type.Record(Type.String(), Type.Unknown());

const ChangedObject = Type.Object({
  ...ref,
  action: Type.Union([Type.Literal('created'), Type.Literal('configured'), Type.Literal('unchanged'), Type.Literal('deleted')]),
});
export type ChangedObject = Static<typeof ChangedObject>;

/** Of apply, delete and rollback. */
export const ChangeResult = Type.Object({
  dryRun: Type.Boolean(),
  /** The one that was made; absent: nothing differed, or a dry run. */
  revision: Type.Optional(Type.Integer()),
  /** RFC 3339; rolled back then unless confirmed. */
  confirmBy: Type.Optional(Type.String()),
  /** Of a dry run: a tentative revision for which the change itself would be refused now, and until when. */
  waiting: Type.Optional(Type.String()),
  /** What it does that one may not have meant; it is done all the same. */
  warnings: Type.Optional(list(Type.String())),
  objects: list(ChangedObject),
});
export type ChangeResult = Static<typeof ChangeResult>;

const revision = {
  number: Type.Integer(),
  at: Type.String(),
  by: Type.String(),
  reason: Type.Union([Type.Literal('apply'), Type.Literal('delete'), Type.Literal('rollback'), Type.Literal('expired')]),
  message: Type.String(),
  state: Type.Union([Type.Literal('tentative'), Type.Literal('confirmed'), Type.Literal('rolled-back')]),
  confirmBy: Type.Optional(Type.String()),
  created: Type.Integer(),
  configured: Type.Integer(),
  deleted: Type.Integer(),
  /** `KIND NAMESPACE/NAME`, the first few. */
  objects: list(Type.String()),
};

export const RevisionSummary = Type.Object(revision);
export type RevisionSummary = Static<typeof RevisionSummary>;

export const RevisionList = Type.Object({
  /** The newest first. */
  revisions: list(RevisionSummary),
  /** The newest there is; 0: none. */
  newest: Type.Integer(),
  /** The oldest that is kept. */
  oldest: Type.Integer(),
});
export type RevisionList = Static<typeof RevisionList>;

export const RevisionDetail = Type.Object({
  ...revision,
  changes: list(Type.Object({ ...ref, before: Type.Optional(document), after: Type.Optional(document) })),
});
export type RevisionDetail = Static<typeof RevisionDetail>;

export const ObjectFinding = Type.Object({ severity: Type.String(), code: Type.String(), path: Type.String(), message: Type.String() });
export type ObjectFinding = Static<typeof ObjectFinding>;

const ObjectItem = Type.Object({
  ...ref,
  apiVersion: Type.String(),
  owner: Type.Object({ cluster: Type.String(), source: Type.String() }),
  /** `mesh`, or `cluster`: in its owner's alone. */
  scope: Type.String(),
  createdAt: Type.String(),
  /** False: another of this name is older, or it cannot be used here; `findings` say which. */
  inForce: Type.Boolean(),
  findings: list(ObjectFinding),
  /** Only where it was asked for. */
  document: Type.Optional(document),
});
export type ObjectItem = Static<typeof ObjectItem>;

export const ObjectList = Type.Object({ objects: list(ObjectItem) });
export type ObjectList = Static<typeof ObjectList>;
