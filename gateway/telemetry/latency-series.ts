import type { Registry } from 'prom-client';
import type { Latency } from '../engine/index.ts';
import { bucketValues, MeasuredElsewhere } from './counted-elsewhere.ts';

type Source = () => readonly Latency[];

const series = [
  {
    step: 'handshake',
    label: 'listener',
    name: 'isthmus_handshake_duration_milliseconds',
    help: "Callers' mTLS handshakes, from the ClientHello",
  },
  {
    step: 'connect',
    label: 'cluster',
    name: 'isthmus_upstream_connect_duration_milliseconds',
    help: 'Connections to endpoints, until they stand',
  },
  {
    step: 'connection',
    label: 'cluster',
    name: 'isthmus_connection_duration_milliseconds',
    help: 'Byte streams, from accept to their end',
  },
] as const;

const sourcesOf = new WeakMap<Registry, Set<Source>>();

/** How long the steps of connections took, of all engines of one registry together. The returned function takes this one's away. */
export function registerLatencies(registry: Registry, source: Source): () => void {
  const sources = sourcesOf.get(registry) ?? newSources(registry);
  sources.add(source);
  return () => sources.delete(source);
}

function newSources(registry: Registry): Set<Source> {
  const sources = new Set<Source>();
  sourcesOf.set(registry, sources);
  for (const { step, label, name, help } of series) {
    new MeasuredElsewhere({ name, help, labelNames: [label], registers: [registry] }, () =>
      joined(sources, step).flatMap(({ of, boundsMs, counts, sumMs }) => bucketValues(name, { [label]: of }, boundsMs, counts, sumMs)),
    );
  }
  return sources;
}

/** Engines have the same bounds. */
function joined(sources: ReadonlySet<Source>, step: Latency['step']): readonly Latency[] {
  const byName = new Map<string, Latency>();
  for (const source of sources) {
    for (const each of source()) {
      if (each.step !== step) continue;
      const known = byName.get(each.of);
      const counts = known === undefined ? each.counts : each.counts.map((count, at) => count + (known.counts[at] ?? 0));
      byName.set(each.of, { ...each, counts, sumMs: each.sumMs + (known?.sumMs ?? 0) });
    }
  }
  return [...byName.values()];
}
