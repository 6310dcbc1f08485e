import type {
  ApplyRequest,
  ChangeResult,
  DeleteRequest,
  ObjectList,
  Plan,
  PlanRequest,
  RevisionDetail,
  RevisionList,
  RevisionSummary,
  RollbackRequest,
} from '../../core/admin/index.ts';
import type { Checked } from '../../core/validate.ts';
import type { Changed } from './changed.ts';

export interface ObjectFilter {
  readonly kind?: string;
  readonly group?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly documents: boolean;
}

/** What can be asked about applied objects. `by`: who, as the audit log names them. What is wrong with documents comes back as violations. */
export interface ObjectsApi {
  /** Of the documents, whether they can be applied or not; decides what rights a call needs. */
  namespacesOf(files: ApplyRequest['files'], namespace: string | undefined): readonly string[];
  /** That going back to this revision touches. NOT_FOUND when it is not kept. */
  namespacesSince(revision: number): Promise<readonly string[]>;
  /** Kinds of the objects that going back to this revision touches. NOT_FOUND when it is not kept. */
  kindsSince?(revision: number): Promise<readonly string[]>;
  /** Of the revision that waits to be confirmed. */
  namespacesWaiting(): Promise<readonly string[]>;
  apply(request: ApplyRequest, by: string): Promise<Checked<Changed<ChangeResult>>>;
  delete(request: DeleteRequest, by: string): Promise<Checked<Changed<ChangeResult>>>;
  rollback(request: RollbackRequest, by: string): Promise<Checked<Changed<ChangeResult>>>;
  confirm(revision: number | undefined, by: string): Promise<Changed<RevisionSummary>>;
  /** What would change; nothing does. */
  plan(request: PlanRequest): Promise<Checked<Plan>>;
  list(filter: ObjectFilter): Promise<ObjectList>;
  /** The newest `limit` below `before`. */
  history(limit: number, before: number | undefined): Promise<RevisionList>;
  revision(number: number): Promise<RevisionDetail>;
}
