import type {
  MigrationFreeze,
  MigrationList,
  MigrationPlan,
  MigrationPlanRequest,
  MigrationReport,
  MigrationStatus,
} from '../../core/admin/index.ts';
import type { Checked } from '../../core/validate.ts';
import type { MigrationCommand } from '../migrate/contract.ts';
import type { Changed } from './changed.ts';

/**
 * What can be asked about migrations, of any replica of the cluster that owns them. It knows nothing of callers or roles: whoever gets here
 * may do it. Rejects with MeshError: NOT_FOUND where there is no such Migration, CONFLICT with the reason where its phase, a freeze or
 * another migration does not allow what is asked, STORE_UNAVAILABLE.
 */
export interface MigrationsApi {
  /** What must hold before it begins, and the Migration itself; nothing changes. What is wrong with the request comes back as violations. */
  plan(request: MigrationPlanRequest): Promise<Checked<MigrationPlan>>;
  /** Of all namespaces, by namespace and name. */
  list(): Promise<MigrationList>;
  status(namespace: string, name: string): Promise<MigrationStatus>;
  /** Of its newest run. */
  report(namespace: string, name: string): Promise<MigrationReport>;
  /** Resolves once it is durable: whoever leads then acts on it within one interval. */
  command(namespace: string, name: string, command: MigrationCommand): Promise<Changed<MigrationStatus>>;
  /** No step begins, and nothing is started, until `unfreeze`; what goes back still does. */
  freeze(reason: string, by: string): Promise<Changed<MigrationFreeze>>;
  /** CONFLICT where nothing is frozen. */
  unfreeze(by: string): Promise<Changed<MigrationFreeze>>;
}
