import type { PeerAuthenticationObject } from '../../core/config/index.ts';
import type { CatalogView, MergedService } from '../catalog/index.ts';
import type { PolicyFinding } from './contract.ts';
import { type Applying, type MtlsModes, nameOf } from './mtls-modes.ts';

type Found = Pick<PolicyFinding, 'code' | 'path' | 'message'>;

/** Names in one message. */
const shown = 5;

/** What is written and does not come about, or not as one would read it. Pure. */
export function peerAuthenticationFindings(
  objects: readonly PeerAuthenticationObject[],
  modes: MtlsModes,
  view: Pick<CatalogView, 'local'>,
): readonly PolicyFinding[] {
  const found = new Map<PeerAuthenticationObject, Found[]>();
  const say = (object: PeerAuthenticationObject, each: Found) => {
    const list = found.get(object) ?? [];
    if (!list.some((other) => other.message === each.message)) found.set(object, [...list, each]);
  };
  const used = new Set<PeerAuthenticationObject>();
  const closed = new Map<PeerAuthenticationObject, string[]>();
  for (const service of view.local.values()) {
    const kinds = modes.applying(service);
    for (const kind of kinds) sayConflicts(kind, service, say);
    for (const { workload } of kinds) for (const each of workload) used.add(each);
    sayMixed(service, kinds, say);
    for (const [by, ports] of withoutListener(service, modes)) {
      const object = objects.find((each) => nameOf(each) === by);
      if (object !== undefined) closed.set(object, [...(closed.get(object) ?? []), `${service.key} port ${ports.join(', ')}`]);
    }
  }
  for (const [object, list] of closed) say(object, { code: 'no-plain-listener', path: 'spec', message: closedText(list) });
  for (const object of objects) {
    if (Object.keys(object.spec.selector).length === 0 || used.has(object)) continue;
    say(object, { code: 'selects-nothing', path: 'spec.selector', message: `selects no workload of ${object.namespace}` });
  }
  return [...found].flatMap(([{ kind, namespace, name }, list]) =>
    list.map((each) => ({ ...each, severity: 'warning' as const, object: { kind, namespace, name } })),
  );
}

type Say = (object: PeerAuthenticationObject, found: Found) => void;

function sayConflicts({ mesh, namespace, workload }: Applying, service: MergedService, say: Say): void {
  const wide = [
    [mesh, 'the mesh'],
    [namespace, `namespace ${service.namespace}`],
    [workload, `workloads of ${service.key}`],
  ] as const;
  for (const [[first, ...others], of] of wide) {
    if (first === undefined) continue;
    for (const other of others) {
      const message = `is not followed for ${of}: PeerAuthentication ${nameOf(first)} is older; keep one`;
      say(other, { code: 'conflict', path: '', message });
    }
  }
}

function sayMixed(service: MergedService, kinds: readonly Applying[], say: Say): void {
  if (kinds.length < 2) return;
  const message = `selects some endpoints of ${service.key} and not others: a service has one mode a port, and the strictest holds for all`;
  for (const { workload } of kinds) for (const each of workload) say(each, { code: 'mixed-modes', path: 'spec.selector', message });
}

/** Ports that are to take plaintext, by the object that says so, where no endpoint of the mesh has a listener that could. */
function withoutListener(service: MergedService, modes: MtlsModes): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  const ends = service.endpoints.filter((each) => each.tlsMode === 'mesh');
  if (ends.length === 0) return found;
  for (const { port, mode, by } of modes.of(service)?.ports ?? []) {
    const name = service.ports.find((each) => each.port === port)?.name ?? '';
    if (mode === 'strict' || by === undefined || ends.some((each) => each.plain?.[name] !== undefined)) continue;
    found.set(by, [...(found.get(by) ?? []), port]);
  }
  return found;
}

function closedText(list: readonly string[]): string {
  const more = list.length > shown ? ` and ${list.length - shown} more` : '';
  return `opens nothing at ${list.slice(0, shown).join('; ')}${more}: no instance has a plain listener there; give the service an address to expose (vm join --expose), its app listening elsewhere`;
}
