export type { WorkloadIdentity, WorkloadTrust } from './contract.ts';
export type { WorkloadApi, WorkloadApiOptions } from './workload-api.ts';
export { startWorkloadApi } from './workload-api.ts';
