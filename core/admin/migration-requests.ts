import { type Static, Type } from 'typebox';
import { label, list } from './common.ts';
import { MigrationList } from './migrations.ts';
import { ApplyRequest } from './objects.ts';

const closed = { additionalProperties: false };
const side = Type.Object({ registry: Type.String({ minLength: 1, maxLength: 256 }), cluster: Type.Optional(label) }, closed);
const reason = Type.String({ minLength: 1, maxLength: 1000 });
const name = Type.String({ minLength: 1, maxLength: 253 });

/** What a Migration would be, or what one that is written (`files`) would do. Exactly one of the two. */
export const MigrationPlanRequest = Type.Object(
  {
    namespace: Type.Optional(label),
    propose: Type.Optional(
      Type.Object(
        {
          service: label,
          from: side,
          to: side,
          /** Default: made of the service and where it goes. */
          name: Type.Optional(name),
          /** Fields of a Migration's spec as people write them: they stand in place of what would be proposed. */
          spec: Type.Optional(Type.Record(Type.String({ maxLength: 63 }), Type.Unknown())),
        },
        closed,
      ),
    ),
    /** One Migration. */
    files: Type.Optional(ApplyRequest.properties.files),
  },
  closed,
);
export type MigrationPlanRequest = Static<typeof MigrationPlanRequest>;

const MigrationCheck = Type.Object({
  /** Stable word. Several may have one name, each of another thing. */
  name: Type.String(),
  /** `warn`: it can begin, and people should know. */
  ok: Type.Union([Type.Literal('pass'), Type.Literal('warn'), Type.Literal('fail')]),
  message: Type.String(),
  /** What to change; empty where nothing need be. */
  fix: Type.String(),
  /** Dotted, into the Migration; empty: none of its fields. */
  path: Type.String(),
});

export const MigrationPlan = Type.Object({
  /** No check failed: it may be applied and started. */
  ok: Type.Boolean(),
  namespace: Type.String(),
  name: Type.String(),
  /** The Migration as people write it. */
  document: Type.Record(Type.String(), Type.Unknown()),
  /** The same, to be reviewed. */
  yaml: Type.String(),
  /** In a fixed order. */
  checks: list(MigrationCheck),
  /** One for each that failed. */
  violations: list(Type.Object({ path: Type.String(), message: Type.String() })),
});
export type MigrationPlan = Static<typeof MigrationPlan>;

/** Of what stops, or goes back: people read it in the status, the audit log and the report. */
export const MigrationReason = Type.Object({ reason }, closed);
export type MigrationReason = Static<typeof MigrationReason>;

/** Percent of the step that may begin; absent: the next that waits for it. */
export const ApproveRequest = Type.Object({ weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100 })) }, closed);
export type ApproveRequest = Static<typeof ApproveRequest>;

export const MigrationFreeze = Type.Object({ freeze: MigrationList.properties.freeze });
export type MigrationFreeze = Static<typeof MigrationFreeze>;

/** A report as files: `report.md`, `report.json` and the plots that it shows. */
export const MigrationReportFiles = Type.Object({ files: list(Type.Object({ name: Type.String(), text: Type.String() })) });
export type MigrationReportFiles = Static<typeof MigrationReportFiles>;
