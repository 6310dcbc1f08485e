import type { Plan } from '../../../core/admin/index.ts';
import { type PlaintextCall, plaintextCut } from '../../policy/index.ts';
import { compileAuthz, type SnapshotInputs } from '../../snapshot/index.ts';

/** Callers in the clear whom the change would refuse. Pure. */
export function plaintextFindings(calls: readonly PlaintextCall[], before: SnapshotInputs, after: SnapshotInputs): Plan['findings'] {
  const modesOf = (key: PlaintextCall['service']) => {
    const service = after.view.services.get(key);
    const of = (inputs: SnapshotInputs) => (service === undefined ? undefined : compileAuthz(service, inputs).mtls);
    return [of(before), of(after)] as const;
  };
  return plaintextCut(calls, modesOf).map(({ service, by, message }) => ({
    severity: 'warning',
    code: 'plaintext-cut',
    path: '',
    message,
    object: by === undefined ? service : `PeerAuthentication ${by}`,
  }));
}
