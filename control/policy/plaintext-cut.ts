import type { ServiceKey } from '../../core/model/index.ts';
import type { ServiceMtls } from './mtls-modes.ts';

/** Somebody who called in the clear not long ago. */
export interface PlaintextCall {
  readonly service: ServiceKey;
  readonly port: number;
  readonly address: string;
  /** Unix ms. */
  readonly lastAt: number;
}

export interface PlaintextCut {
  readonly service: ServiceKey;
  readonly port: number;
  /** What would say STRICT; absent: nothing says otherwise any more. */
  readonly by?: string;
  readonly message: string;
}

const shown = 3;

/** Who would be refused: ports that go STRICT while somebody comes in the clear. `modesOf`: before and after the change. Pure. */
export function plaintextCut(
  calls: readonly PlaintextCall[],
  modesOf: (service: ServiceKey) => readonly [before: ServiceMtls | undefined, after: ServiceMtls | undefined],
): readonly PlaintextCut[] {
  const byPort = new Map<string, PlaintextCall[]>();
  for (const call of calls) {
    const key = `${call.service}:${call.port}`;
    byPort.set(key, [...(byPort.get(key) ?? []), call]);
  }
  return [...byPort.values()].flatMap((list): PlaintextCut[] => {
    const [first] = list;
    if (first === undefined) return [];
    const { service, port } = first;
    const [before, after] = modesOf(service).map((mtls) => mtls?.ports.find((each) => each.port === port));
    if ((before?.mode ?? 'strict') === 'strict' || (after?.mode ?? 'strict') !== 'strict') return [];
    const latest = list.toSorted((a, b) => b.lastAt - a.lastAt);
    const named = latest.slice(0, shown).map(({ address, lastAt }) => `${address} (last at ${new Date(lastAt).toISOString()})`);
    const more = latest.length > shown ? ` and ${latest.length - shown} more` : '';
    const message = `STRICT would cut off who called ${service} port ${port} in the clear within the last hour: ${named.join(', ')}${more}; isthmus mtls status ${service} says who`;
    return [{ service, port, message, ...(after?.by === undefined ? {} : { by: after.by }) }];
  });
}
