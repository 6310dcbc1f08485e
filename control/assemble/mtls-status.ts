import type { MtlsPort, MtlsStatus } from '../../core/admin/index.ts';
import type { MtlsMode } from '../../core/authz/index.ts';
import type { ServicePort } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { PlaintextCall } from '../policy/index.ts';
import type { PlaintextSeen } from '../registration/index.ts';
import { compileAuthz, type SnapshotInputs } from '../snapshot/index.ts';

/** So long nobody may have come in the clear before STRICT is called safe; and a warning is about who did. */
const recentMs = 3_600_000;

const mostCallers = 64;
const mostNames = 3;
const modes: Readonly<Record<MtlsMode, MtlsPort['mode']>> = { strict: 'STRICT', permissive: 'PERMISSIVE', disable: 'DISABLE' };

export interface MtlsStatusInput {
  readonly inputs: SnapshotInputs;
  readonly seen: readonly PlaintextSeen[];
  /** NAMESPACE/NAME; absent: all. */
  readonly service?: string | undefined;
  /** Unix ms. */
  readonly now: number;
}

/** What each port of this cluster's services with agents takes, and who came in the clear. By service and port. Pure. */
export function mtlsStatus({ inputs, seen, service: only, now }: MtlsStatusInput): MtlsStatus {
  const places = knownPlaces(inputs);
  const byPort = new Map<string, PlaintextSeen[]>();
  for (const each of seen) {
    const key = `${each.service}:${each.port}`;
    byPort.set(key, [...(byPort.get(key) ?? []), each]);
  }
  const services = [...inputs.view.local.values()].filter(({ key }) => only === undefined || key === only);
  const ports = services.flatMap((service) => {
    const { mtls } = compileAuthz(service, inputs);
    return service.ports.flatMap((port) => {
      const decided = mtls?.ports.find((each) => each.port === port.port);
      const said = byPort.get(`${service.key}:${port.port}`) ?? [];
      return portStatus({ service, port, mode: decided?.mode ?? 'strict', by: decided?.by, said, places, now }) ?? [];
    });
  });
  return { ports: ports.sort((a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : a.port - b.port)) };
}

interface PortFacts {
  readonly service: MergedService;
  readonly port: ServicePort;
  readonly mode: MtlsMode;
  readonly by: string | undefined;
  readonly said: readonly PlaintextSeen[];
  readonly places: ReadonlyMap<string, readonly string[]>;
  readonly now: number;
}

/** Undefined: no end of mTLS that could take anything else is there. */
function portStatus({ service, port, mode, by, said, places, now }: PortFacts): MtlsPort | undefined {
  const ends = service.endpoints.filter((e) => e.tlsMode === 'mesh' && e.ports[port.name] !== undefined);
  if (ends.length === 0) return undefined;
  const doors = ends.filter((e) => e.plain?.[port.name] !== undefined);
  const sum = (of: (each: PlaintextSeen) => number) => said.reduce((n, each) => n + of(each), 0);
  const callers = joined(said);
  const lastAt = Math.max(...callers.filter(({ letIn }) => letIn > 0).map((each) => each.lastAt), 0);
  const counting = doors.map((e) => said.find(({ instance }) => instance === e.instance)?.since);
  const since = counting.length === 0 || counting.includes(undefined) ? undefined : Math.max(...counting.map((at) => at ?? 0));
  const verdict = judge({ ends: ends.length, doors: doors.length, since, lastAt, now });
  return {
    service: service.key,
    port: port.port,
    protocol: port.protocol,
    mode: modes[mode],
    ...(by === undefined ? {} : { decidedBy: `PeerAuthentication ${by}` }),
    instances: ends.length,
    exposed: doors.length,
    countingSeconds: since === undefined ? null : Math.max(0, Math.round((now - since) / 1_000)),
    plaintext: {
      connections: sum((each) => each.letIn),
      requests: sum((each) => each.requests),
      refused: sum((each) => each.refused),
      lastSeen: callers.length === 0 ? null : timeOf(Math.max(...callers.map((each) => each.lastAt))),
    },
    mtls: { connections: sum((each) => each.mtls), requests: sum((each) => each.mtlsRequests) },
    callers: callers.slice(0, mostCallers).map(({ address, letIn, refused, lastAt: at }) => ({
      ...{ address, known: [...(places.get(address) ?? [])].slice(0, mostNames), connections: letIn, refused, lastSeen: timeOf(at) },
    })),
    moreCallers: sum((each) => each.moreCallers) + Math.max(0, callers.length - mostCallers),
    ...verdict,
  };
}

interface Judged {
  readonly ends: number;
  readonly doors: number;
  readonly since: number | undefined;
  /** 0: never. */
  readonly lastAt: number;
  readonly now: number;
}

/** What was not seen is said to be safe only where everybody looked, for long enough. */
function judge({ ends, doors, since, lastAt, now }: Judged): Pick<MtlsPort, 'strictIsSafe' | 'reason'> {
  const ago = now - lastAt;
  if (lastAt > 0 && ago < recentMs) return { strictIsSafe: 'no', reason: `somebody came in the clear ${Math.round(ago / 1_000)} s ago` };
  if (doors < ends) {
    const reason = `${ends - doors} of ${ends} instances have no listener that would see callers in the clear (vm join --expose)`;
    return { strictIsSafe: 'unknown', reason };
  }
  if (since === undefined) return { strictIsSafe: 'unknown', reason: 'not every instance has reported yet' };
  const countedMs = now - since;
  if (countedMs < recentMs) {
    return {
      strictIsSafe: 'unknown',
      reason: `nobody came in the clear, but that is known for ${Math.round(countedMs / 60_000)} min alone`,
    };
  }
  return { strictIsSafe: 'yes', reason: 'nobody came in the clear within the last hour' };
}

/** Who came in the clear, and was let in, within the last hour. */
export function recentCalls(seen: readonly PlaintextSeen[], now: number): readonly PlaintextCall[] {
  return seen.flatMap(({ service, port, callers }) =>
    callers.flatMap(({ address, letIn, lastAt }) => (letIn > 0 && now - lastAt < recentMs ? [{ service, port, address, lastAt }] : [])),
  );
}

/** One for each address, the latest first. */
function joined(said: readonly PlaintextSeen[]) {
  const byAddress = new Map<string, { address: string; letIn: number; refused: number; lastAt: number }>();
  for (const { address, letIn, refused, lastAt } of said.flatMap((each) => each.callers)) {
    const known = byAddress.get(address) ?? { address, letIn: 0, refused: 0, lastAt };
    byAddress.set(address, {
      address,
      letIn: known.letIn + letIn,
      refused: known.refused + refused,
      lastAt: Math.max(known.lastAt, lastAt),
    });
  }
  return [...byAddress.values()].sort((a, b) => b.lastAt - a.lastAt || (a.address < b.address ? -1 : 1));
}

/** Whose an address is, as far as the mesh knows: services with an endpoint there. */
function knownPlaces({ view }: SnapshotInputs): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  for (const { key, endpoints } of view.services.values()) {
    for (const address of new Set(endpoints.map((e) => e.address))) places.set(address, [...(places.get(address) ?? []), key]);
  }
  return places;
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}
