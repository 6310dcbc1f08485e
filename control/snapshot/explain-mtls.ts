import type { ExplainStep } from '../../core/admin/index.ts';
import type { MtlsMode } from '../../core/authz/index.ts';
import type { ServicePort } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import { compileAuthz } from './build-service.ts';
import type { SnapshotInputs } from './inputs.ts';

type Say = (stage: string, outcome: ExplainStep['outcome'], text: string, details?: readonly string[]) => void;

const takes: Readonly<Record<MtlsMode, string>> = {
  strict: 'takes mTLS alone (STRICT)',
  permissive: 'takes plaintext beside mTLS (PERMISSIVE)',
  disable: 'takes plaintext alone where it is exposed (DISABLE)',
};

/** What the service's ends take, and which PeerAuthentication says so. Of a peer's services that is not known. */
export function sayMtls(inputs: SnapshotInputs, service: MergedService, { port, name }: ServicePort, say: Say): void {
  const own = inputs.view.local.get(service.key);
  if (own === undefined) return;
  const { mtls } = compileAuthz(service, inputs);
  const { mode = 'strict', by } = mtls?.ports.find((each) => each.port === port) ?? {};
  const why = by === undefined ? "no PeerAuthentication says otherwise: the mesh's default" : `PeerAuthentication ${by} decided`;
  const ends = own.endpoints.filter((e) => e.tlsMode === 'mesh');
  if (ends.length === 0) {
    say('mtls', 'ok', 'its endpoints have no sidecar: no PeerAuthentication is about them', [
      'in the clear inside their network; a gateway in front of them takes mTLS always',
    ]);
    return;
  }
  const doors = ends.flatMap((e) =>
    e.plain?.[name] === undefined ? [] : [`${e.instance} exposes ${e.plain[name].address}:${e.plain[name].port}`],
  );
  const open = doors.length > 0 || mode === 'strict' ? doors : ['no instance has a plain listener: mTLS alone comes in'];
  const terminated =
    ends.length < own.endpoints.length ? ['endpoints without a sidecar: a gateway in front of them takes mTLS always'] : [];
  const mixed = mtls?.mixed === true ? ['its endpoints are selected by different objects: the strictest holds'] : [];
  const warns = mode !== 'strict' && doors.length === 0;
  say('mtls', warns ? 'warning' : 'ok', `port ${port} ${takes[mode]}`, [why, ...open, ...terminated, ...mixed]);
}
